package didyoumean

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := scopes.KnownScopes()
	for _, test := range []struct{ name, want string }{
		{"sql", "sql"}, {"SQL", "sql"}, {"cluster", "clusters"}, {"clsuters", "clusters"}, {"unity_catalog", "unity-catalog"}, {"unitycatalog", "unity-catalog"},
		{"clean-rooms", "cleanrooms"}, {"data-quality", "dataquality"}, {"model serving", "model-serving"}, {"allapis", "all-apis"}, {"job", "jobs"}, {"secret", "secrets"},
		{"vectorsearch", "vector-search"}, {"dashboard", "dashboards"}, {"networkng", "networking"}, {"zzz", ""}, {"", ""}, {"something-else", ""}, {"x", ""},
	} {
		got, ok := Nearest(test.name, known)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", test.name, got, ok, test.want)
		}
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	known := []string{"drop", "block", "refuse"}
	for _, test := range []struct{ name, want string }{
		{"blok", "did you mean block?"},
		{"zzz", "known are drop, block, refuse"},
	} {
		if got := Hint(test.name, known); got != test.want {
			t.Errorf("Hint(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}
