package scopes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Coverage counts the rows of a catalog by evidence and by scope.
type Coverage struct {
	// Workspace and Account count the rows that a personal access token can call
	// and those it can never call. All other counts are of workspace rows only.
	Workspace, Account int
	// ByEvidence counts rows by their evidence.
	ByEvidence map[Evidence]int
	// ByScope counts the rows that each scope permits. A row with several scopes
	// counts for each of them. Rows that need no particular scope count under
	// their word in the any_of column, "*" or "public".
	ByScope map[string]int
	// Unknown counts the rows that need all-apis only because nothing better is
	// known: by inference, not because a page or a refusal says so.
	Unknown int
}

// CoverageOf returns the coverage of rows.
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

// String returns a table of the rows by evidence, one per line.
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
	line("unknown", c.Unknown, "  (inferred rows that need all-apis)")
	return b.String()
}

// Scopes returns the keys of ByScope, those with the most rows first.
func (c Coverage) Scopes() []string {
	return slices.SortedFunc(maps.Keys(c.ByScope), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.ByScope[b], c.ByScope[a]), strings.Compare(a, b))
	})
}
