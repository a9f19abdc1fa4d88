package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCatalog(t *testing.T) {
	old := filepath.Join(t.TempDir(), "old.tsv")
	shipped, err := run(t, unreachable, "", "catalog")
	if err != nil || !strings.HasPrefix(shipped, "#") && !strings.Contains(shipped, "GET\t/api/2.2/jobs/list\tjobs\t") {
		t.Fatalf("%v\n%.200s", err, shipped)
	}
	if err := os.WriteFile(old, []byte(shipped), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		args  []string
		says  []string
		fails bool
	}{
		{"no changes", []string{"--diff", old}, []string{"0 added, 0 removed, 0 with other scopes\n"}, false},
		{"an added row", []string{"--diff", old, "--config", "good"}, []string{"+ GET     /api/2.0/internal/things\tthings\tinternal.Things\n", "1 added, 0 removed"}, false},
		{"coverage", []string{"--coverage"}, []string{
			" workspace operations, ", "\njobs  ", "\n(no token)  ", "\ndoubtful ", "\nall-apis ", "\nunknown ", "\noptional ",
			"\nDoubtful: ", "\nGET     /api/2.0/sql/history/queries\tquery-history or sql\tinferred\tsql.QueryHistory.List\n",
			"\nNeed all-apis: ", "\n*       /api/2.1/unity-catalog/iceberg-rest/{path...}\tall-apis\tobserved\ticeberg.REST\n",
		}, false},
		{"coverage of a configuration", []string{"--coverage", "--config", "optional"}, []string{
			"\nOptional: ", "\nPOST    /api/2.0/internal/beacon\tall-apis\toperator\tPOST /api/2.0/internal/beacon\n",
		}, false},
		{"both", []string{"--coverage", "--diff", old}, []string{"coverage diff"}, true},
		{"no such file", []string{"--diff", "nowhere.tsv"}, []string{"reading the old catalog: open nowhere.tsv"}, true},
		{"an argument", []string{"jobs"}, []string{"unknown command"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := run(t, unreachable, "", append([]string{"catalog"}, test.args...)...)
			if (err != nil) != test.fails {
				t.Errorf("%v", err)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%.400s", part, out)
				}
			}
		})
	}
}
