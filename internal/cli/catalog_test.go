package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/replay"
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
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
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
		{"a FIFO", []string{"--diff", fifo}, []string{"not a file, but a FIFO"}, true},
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

// TestCompare: a file that would refuse calls fails, and says which.
func TestCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(file, []byte("GET\t/api/2.0/x\tsql\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := replay.Line{
		TokenID: strings.Repeat("ab", 32), Owner: "etl@example.com", Operation: "ours.Get", Method: "GET", Template: "/api/2.0/x",
		Now: "jobs", Then: "sql", Reason: "policy_denied", Policy: "p", Calls: 7, Last: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}
	some := replay.Change{Operations: 1, Tokens: 1, Calls: 7, Lines: []replay.Line{line}}
	for _, test := range []struct {
		name   string
		impact mapimpact.Impact
		says   []string
		fails  string
	}{
		{"nothing", mapimpact.Impact{}, []string{"No call that passes today would be refused.\nNo call that is refused today would pass.\n"}, ""},
		{"refused", mapimpact.Impact{Refused: some, Notes: []string{"a note"}}, []string{
			"7 calls of 1 operation by 1 token pass today and would be refused:\n",
			"ours.Get   GET     jobs       sql         abababababab  etl@example.com  7      2026-12-01  policy_denied by p\n", "Note: a note\n",
		}, file + " would refuse 7 calls of 1 operation by 1 token"},
		{"permitted", mapimpact.Impact{Permitted: some}, []string{"7 calls of 1 operation by 1 token are refused today and would pass:\n"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway := func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
				content, err := io.ReadAll(body)
				if err != nil || string(content) != "GET\t/api/2.0/x\tsql\n" || method != http.MethodPost || !strings.HasPrefix(uri, "/databricks_scopes/catalog/compare?") {
					t.Errorf("%s %s %q %v", method, uri, content, err)
				}
				return answering(test.impact)(address, method, uri, header, body)
			}
			out, err := run(t, gateway, "", "catalog", "--diff", file, "--against-usage")
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
		})
	}
}
