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
	// ByScope counts the rows that name each scope. A row with several scopes
	// counts for each of them. Rows that need no particular scope count under
	// their word in the any_of column, "*" or "public".
	ByScope map[string]int
	// Doubtful are the rows of which it is not known which of their alternatives is
	// right, see [Operation.Doubtful].
	Doubtful []*Operation
	// AllAPIs are the rows that only all-apis permits. They do not include optional
	// rows, because nobody needs a scope for those.
	AllAPIs []*Operation
	// Optional are the rows that clients go on without.
	Optional []*Operation
	// Unknown counts the rows in AllAPIs for which nothing better is known: by
	// inference, not because a page or a refusal says so.
	Unknown int
}

// CoverageOf returns the coverage of rows. The lists are sorted as in the catalog and
// point into rows.
func CoverageOf(rows []Operation) Coverage {
	c := Coverage{ByEvidence: make(map[Evidence]int), ByScope: make(map[string]int)}
	for i := range rows {
		row := &rows[i]
		if row.Access == AccountOnly {
			c.Account++
			continue
		}
		c.Workspace++
		c.ByEvidence[row.Evidence]++
		if row.Access != ScopedAccess {
			c.ByScope[row.Access.String()]++
		}
		for _, scope := range row.Scopes() {
			c.ByScope[scope]++
		}
		c.list(row)
	}
	for _, list := range [][]*Operation{c.Doubtful, c.AllAPIs, c.Optional} {
		slices.SortFunc(list, func(a, b *Operation) int { return Compare(*a, *b) })
	}
	return c
}

// list adds a row to the lists that it belongs to.
func (c *Coverage) list(row *Operation) {
	if row.Doubtful() {
		c.Doubtful = append(c.Doubtful, row)
	}
	switch {
	case row.Optional:
		c.Optional = append(c.Optional, row)
	case slices.Equal(row.AnyOf, []string{AllAPIs}):
		c.AllAPIs = append(c.AllAPIs, row)
		if row.Evidence == Inferred {
			c.Unknown++
		}
	}
}

// String returns a table of the counts, one per line.
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
	b.WriteByte('\n')
	line("doubtful", len(c.Doubtful), "  one of several scopes, and it is not known which")
	line("all-apis", len(c.AllAPIs), "  nothing less is enough")
	line("unknown", c.Unknown, "  of these, because nothing is known about them")
	line("optional", len(c.Optional), "  clients go on without them")
	return b.String()
}

// Scopes returns the keys of ByScope, those with the most rows first.
func (c Coverage) Scopes() []string {
	return slices.SortedFunc(maps.Keys(c.ByScope), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.ByScope[b], c.ByScope[a]), strings.Compare(a, b))
	})
}
