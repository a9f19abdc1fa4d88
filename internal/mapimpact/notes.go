package mapimpact

import (
	"fmt"

	"github.com/scopegate/scopegate/internal/usage"
)

// notes say what could not be compared. They count calls of all tokens: where the other map
// makes no difference, it is not known which of them the workspace lists.
type notes struct {
	unmapped  uint64 // calls
	summaries int    // tokens
	covered   uint64 // calls
	example   *row
}

// note counts what cannot be compared of a token.
func (c *comparison) note(seen *usage.Token) {
	if seen.Evicted || seen.Cut.Entries > 0 {
		c.notes.summaries++
	}
	for i := range seen.Uses {
		use := &seen.Uses[i]
		if use.Operation.Unmapped() {
			c.notes.unmapped += use.Calls
		} else if by := c.coveredBy(&use.Operation); by != nil {
			c.notes.covered += use.Calls
			c.notes.example = by
		}
	}
}

// lines returns the notes as text.
func (n *notes) lines(unread bool) (lines []string) {
	if n.unmapped > 0 {
		lines = append(lines, fmt.Sprintf("calls of paths outside the map (%d) could not be compared: paths are not kept", n.unmapped))
	}
	if n.covered > 0 {
		lines = append(lines, fmt.Sprintf("calls of operations (%d) for which the other map has rows of single paths, such as %s %s, could not be compared: paths are not kept",
			n.covered, n.example.Method, n.example.Template))
	}
	if n.summaries > 0 {
		lines = append(lines, fmt.Sprintf("tokens of which some operations were dropped to stay within limits (%d) are compared by the others only", n.summaries))
	}
	if unread {
		lines = append(lines, "some saved usage could not be read")
	}
	return lines
}
