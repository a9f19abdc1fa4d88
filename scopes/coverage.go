package scopes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Coverage says how much of a catalogue is known how well.
type Coverage struct {
	// Workspace and Account count the rows that a personal access token may be
	// able to call, and those that it never can. The other counts are of the
	// former.
	Workspace, Account int
	ByEvidence         map[Evidence]int
	// ByScope counts the rows that each scope opens; a row of several counts for
	// each. Rows that need no scope count under their word in the any_of column.
	ByScope map[string]int
	// Unknown are the rows that ask for all-apis for want of knowledge: by
	// inference, not because a page or a refusal says so.
	Unknown int
}

// CoverageOf counts rows.
func CoverageOf(rows []Operation) Coverage {
	c := Coverage{ByEvidence: make(map[Evidence]int), ByScope: make(map[string]int)}
	for _, row := range rows {
		if row.Access == AccountOnly {
			c.Account++
			continue
		}
		c.Workspace++
		c.ByEvidence[row.Evidence]++
		if row.Access != ScopedAccess {
			c.ByScope[row.Access.String()]++
		}
		for _, scope := range row.AnyOf {
			c.ByScope[scope]++
		}
		if row.Evidence == Inferred && slices.Equal(row.AnyOf, []string{AllAPIs}) {
			c.Unknown++
		}
	}
	return c
}

// String returns the counts of rows by evidence, a line each.
func (c Coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d workspace operations, %d account-level\n", c.Workspace, c.Account)
	line := func(name string, n int, note string) {
		share := 100 * float64(n) / float64(max(c.Workspace, 1))
		fmt.Fprintf(&b, "%-11s %5d  %4.1f %%%s\n", name, n, share, note)
	}
	for _, e := range grades {
		if e != Operator || c.ByEvidence[e] > 0 {
			line(string(e), c.ByEvidence[e], "")
		}
	}
	line("unknown", c.Unknown, "  (of the inferred; ask for all-apis)")
	return b.String()
}

// Scopes returns the scopes that rows ask for, those of most rows first.
func (c Coverage) Scopes() []string {
	return slices.SortedFunc(maps.Keys(c.ByScope), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.ByScope[b], c.ByScope[a]), strings.Compare(a, b))
	})
}
