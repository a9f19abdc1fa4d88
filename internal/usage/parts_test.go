package usage

import (
	"slices"
	"strings"
	"testing"
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
