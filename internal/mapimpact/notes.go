package mapimpact

import (
	"fmt"

	"github.com/scopegate/scopegate/internal/usage"
)

// evicted notes tokens of which some operations are not known any more.
func (c *comparison) evicted(seen *usage.Token) {
	if seen.Evicted || seen.Cut.Entries > 0 {
		c.summaries++
	}
}

// notes say what could not be compared.
func (c *comparison) notes() (notes []string) {
	if c.unmapped > 0 {
		notes = append(notes, fmt.Sprintf("%d calls were of paths outside the map, which are not kept: what another map says of them is not known", c.unmapped))
	}
	if c.summaries > 0 {
		notes = append(notes, fmt.Sprintf("of %d tokens, some operations were dropped from usage to stay within limits", c.summaries))
	}
	if len(c.Usage.Unread) > 0 {
		notes = append(notes, "some saved usage could not be read")
	}
	return notes
}
