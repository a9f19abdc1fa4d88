package usage

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestRecommendParts: a token that holds a part of a scope is not told to take the whole.
func TestRecommendParts(t *testing.T) {
	t.Parallel()
	for held, want := range map[string]bool{"clusters:read sql": false, "clusters sql": true, "clusters:write sql": true} {
		r := recommend(seenToken("a: sql"), TokenFacts{Scopes: strings.Fields(held)}, noon, "")
		said := slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "parts of scopes") })
		if (r.Change != nil) != want || said == want {
			t.Errorf("%s: change %v, notes %q", held, r.Change, r.Notes)
		}
	}
}

// TestPartsBreak: a part that reads does not say that a call to a row for all methods would not
// break, as the method of the call is not known.
func TestPartsBreak(t *testing.T) {
	t.Parallel()
	o := scopes.Operation{Method: "*", Template: "/api/2.0/mcp/sql", AnyOf: []string{"sql"}, Name: "mcp.SQL"}
	for held, want := range map[string]int{"sql:read": 1, "sql": 0, "sql:read sql": 0} {
		seen := seenToken()
		seen.Uses = append(seen.Uses, Use{Operation: o, Calls: 9, WouldDeny: 9, Reason: missingScope, First: noon, Last: noon})
		r := recommend(seen, TokenFacts{Scopes: strings.Fields(held)}, noon, "")
		if len(r.WouldBreak) != want {
			t.Errorf("%s: %+v", held, r.WouldBreak)
		}
	}
}
