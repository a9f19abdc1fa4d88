package decisions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestReadOnlyPolicies: a policy may permit reads alone, of all scopes or of some.
func TestReadOnlyPolicies(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), `policy readers {
		match comment "reader *"
		access read
	}
	policy queries {
		match comment "queries *"
		scopes sql:read jobs
	}`)
	reader := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "reader laptop"}).Value
	queries := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "queries laptop"}).Value
	narrow := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "reader jobs", Scopes: []string{"jobs"}}).Value
	const statement, runNow, search = "/api/2.0/sql/statements", "/api/2.2/jobs/run-now", "/api/2.0/mlflow/runs/search"
	for _, test := range []struct {
		name, method, path, token string
		says                      string // in the refusal, empty for a request that passes
	}{
		{"a read", "GET", harness.JobsList, reader, ""},
		{"HEAD", "HEAD", harness.JobsList, reader, ""},
		{"Me", "GET", harness.Me, reader, ""},
		{"a POST that searches", "POST", search, reader, ""},
		{"a write", "POST", runNow, reader, "policy readers, which permits only reads (access read); this operation writes"},
		{"a statement", "POST", statement, reader, "policy readers, which permits only reads (access read); this operation writes"},
		{"a path that the map lacks", "GET", "/api/2.0/no/such/thing", reader, "policy readers, which permits only reads (access read); the map does not have this path, so it counts as a write"},
		{"a read in another spelling", "GET", "/ajax-api/2.1/jobs/list", reader, "policy readers, which permits only reads (access read); the map does not have this path"},
		{"a read, and the token lacks the scope", "GET", "/api/2.0/sql/warehouses", narrow, "required scopes: sql"},

		{"a read of the limited scope", "GET", "/api/2.0/sql/warehouses", queries, ""},
		{"Me, with scopes", "GET", harness.Me, queries, ""},
		{"a write of the limited scope", "POST", statement, queries, "policy queries, which permits only sql:read, jobs; this operation writes"},
		{"a write of the other scope", "POST", runNow, queries, ""},
		{"a read of a third scope", "POST", search, queries, "policy queries, which permits only sql:read, jobs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.Send(t, test.method, test.path, harness.Bearer(test.token))
			if (got.StatusCode == 403) != (test.says != "") {
				t.Fatalf("status %d: %s", got.StatusCode, got.Body)
			}
			var refusal struct{ Message string }
			if test.says != "" && (json.Unmarshal([]byte(got.Body), &refusal) != nil || !strings.Contains(refusal.Message, test.says)) {
				t.Errorf("got %s, want %q", got.Body, test.says)
			}
		})
	}
}

// TestReadOnlyRoutes: the rows of a routes file may say whether they read, and write if they
// do not. A row that replaces one of the map may leave it out.
func TestReadOnlyRoutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.tsv")
	const rows = "GET\t/api/2.0/internal/unclassed\tjobs\n" +
		"GET\t/api/2.0/internal/read\tjobs\toperator\tinternal.Read\tours\tread\n" +
		"POST\t/api/2.0/internal/search\tjobs\toperator\tinternal.Search\tours\tread: it searches\n" +
		"GET\t/api/2.0/internal/start\tjobs\toperator\tinternal.Start\tours\twrite\n" +
		"GET\t/api/2.2/jobs/list\tsql\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.StartGateway(t, harness.StartWorkspace(t), "routes "+file+"\npolicy readers {\naccess read\n}")
	token := g.Mint("jobs", "sql").Value
	for _, test := range []struct {
		method, path string
		passes       bool
	}{
		{"GET", "/api/2.0/internal/unclassed", false},
		{"GET", "/api/2.0/internal/read", true},
		{"POST", "/api/2.0/internal/search", true},
		{"GET", "/api/2.0/internal/start", false},
		{"GET", "/api/2.2/jobs/list", true},
	} {
		if got := g.Send(t, test.method, test.path, harness.Bearer(token)); (got.StatusCode != 403) != test.passes {
			t.Errorf("%s %s: %d %s", test.method, test.path, got.StatusCode, got.Body)
		}
	}
}

// TestReadOnlyMistakes: a policy that can permit nothing is refused, and the error says why.
func TestReadOnlyMistakes(t *testing.T) {
	for _, test := range []struct{ name, policy, says string }{
		{"access read", "access read", ""},
		{"a scope that is not known, limited", "scopes sql:read teleport:read", ""},
		{"an allowed write alone", "access read\nallow POST /api/2.2/jobs/run-now", "no operation of the catalog is known to only read"},
		{"an allowed write and an allowed read", "access read\nallow POST /api/2.2/jobs/run-now\nallow GET /api/2.2/jobs/list", ""},
		{"reads of a scope that has none", "scopes command-execution:read\ndeny GET /api/1.2/*", "permits nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.NewGateway(t, harness.StartWorkspace(t))
			err := g.TryLoad(t, harness.GatewayBlock(g.Workspace, "policy p {\n"+test.policy+"\n}"))
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
