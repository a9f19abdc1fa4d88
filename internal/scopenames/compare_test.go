package scopenames

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	c := Compare(
		[]string{"sql", "openid", "teleport", "sql.statement-execution", "jobs.jobs", "profile"},
		[]string{"teleport", "jobs", "alpha", "clusters:read"},
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

// TestDocumentation holds the table of dotted names in the reference against the one that
// judges.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "### Dotted names of OAuth tokens")
	section, _, found := strings.Cut(section, "\n## ")
	if !ok || !found {
		t.Fatal("the section is missing")
	}
	for _, a := range scopes.Aliases() {
		row := ""
		for line := range strings.Lines(section) {
			family, _, _ := strings.Cut(a.Scope, ".")
			if strings.HasPrefix(line, "| `") && (strings.Contains(line, "`"+a.Scope+"`") || strings.Contains(line, "`"+family+".*`")) {
				row = line
			}
		}
		if row == "" || (a.For == "") != strings.Contains(row, "nothing that is known") || a.For != "" && !strings.Contains(row, "`"+a.For+"`") {
			t.Errorf("%s for %q: the reference says %q", a.Scope, a.For, row)
		}
	}
}
