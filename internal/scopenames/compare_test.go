package scopenames

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	c := Compare(
		[]string{"sql", "openid", "teleport", "sql.statement-execution", "jobs.jobs", "profile"},
		[]string{"teleport", "jobs", "alpha"},
	)
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"missing", c.Missing, []string{"alpha", "teleport"}},
		{"dotted", c.Dotted, []string{"jobs.jobs"}},
		{"sign-in", c.SignIn, []string{"openid", "profile"}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
		}
	}
	if n := len(scopes.KnownScopes()); len(c.Gone) != n-3 || slices.Contains(c.Gone, "sql") || slices.Contains(c.Gone, scopes.AllAPIs) || !slices.Contains(c.Gone, "clusters") {
		t.Errorf("gone: %s", c.Gone)
	}
	if c := Compare(scopes.KnownScopes()); len(c.Missing)+len(c.Dotted)+len(c.SignIn)+len(c.Gone) != 0 {
		t.Errorf("the known names differ from themselves: %+v", c)
	}
	if c := Compare(nil, nil); len(c.Gone) != 0 || c.Missing == nil {
		t.Errorf("without lists: %+v", c)
	}
}
