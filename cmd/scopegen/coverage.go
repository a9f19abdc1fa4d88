package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// counts say how much of the catalogue is known how well.
type counts struct {
	workspace, account int
	byEvidence         map[scopes.Evidence]int
	// unknown are the workspace rows that ask for all-apis for want of
	// knowledge: by inference, not because a page or a refusal says so.
	unknown int
}

// coverage counts rows.
func coverage(rows []scopes.Operation) counts {
	c := counts{byEvidence: make(map[scopes.Evidence]int)}
	for _, row := range rows {
		if row.Access == scopes.AccountOnly {
			c.account++
			continue
		}
		c.workspace++
		c.byEvidence[row.Evidence]++
		if row.Evidence == scopes.Inferred && slices.Equal(row.AnyOf, []string{scopes.AllAPIs}) {
			c.unknown++
		}
	}
	return c
}

func (c counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d workspace operations, %d account-level\n", c.workspace, c.account)
	for _, e := range []scopes.Evidence{scopes.Documented, scopes.Observed, scopes.Sibling, scopes.Inferred} {
		fmt.Fprintf(&b, "%-11s %5d  %4.1f %%\n", e, c.byEvidence[e], 100*float64(c.byEvidence[e])/float64(c.workspace))
	}
	fmt.Fprintf(&b, "%-11s %5d  %4.1f %%  (of the inferred; ask for all-apis)\n", "unknown", c.unknown, 100*float64(c.unknown)/float64(c.workspace))
	return b.String()
}
