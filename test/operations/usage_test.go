package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

func TestAdminUsage(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "mode observe")
	token, unseen := g.Mint("jobs", "sql", "clusters"), g.Mint("jobs")
	legacy := workspace.Mint(fakeworkspace.TokenSpec{Owner: "old-hand@example.com", Comment: "legacy", CreationTime: time.Now().Add(-400 * 24 * time.Hour), LastUsed: time.Now().Add(-60 * 24 * time.Hour)})
	for range 3 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	}
	g.Send(t, "GET", "/api/2.1/unity-catalog/catalogs", harness.Bearer(token.Value))
	g.Records(t, 4)
	seen, never, old := token.Info.TokenId, unseen.Info.TokenId, legacy.Info.TokenId
	for _, test := range []struct {
		name, target string
		status       int
		contains     []string
		lacks        []string
	}{
		{"json", "usage", 200, []string{seen, never, old, `"jobs.List"`, `"listed": true`}, nil},
		{"alias", "report", 200, []string{seen, never, old}, nil},
		{"table", "usage?format=table", 200, []string{seen[:12], never[:12], "never seen", "4 calls recorded", "old-hand@example.com"}, nil},
		{"csv", "usage?format=csv", 200, []string{seen, never}, nil},
		{"unscoped tokens", "usage?unscoped=true", 200, []string{old}, []string{seen, never}},
		{"tokens that never expire", "usage?no_expiry=true", 200, []string{old}, []string{seen, never}},
		{"tokens that expire soon", "usage?expiring=2h", 200, []string{seen, never}, []string{old}},
		{"unused tokens", "usage?unused=30d", 200, []string{old}, []string{seen, never}},
		{"tokens of one owner", "usage?owner=old-*", 200, []string{old}, []string{seen, never}},
		{"the workspace by name", "usage?workspace=" + workspace.URL(), 200, []string{seen}, nil},
		{"another workspace", "usage?workspace=https://other.example.com", 404, []string{"no databricks_scopes handler for that workspace"}, nil},
		{"another format", "usage?format=xml", 400, []string{"json, csv or table"}, nil},
		{"a misspelled filter", "usage?unscopd=true", 400, []string{"did you mean unscoped?"}, nil},
		{"a malformed filter", "usage?unused=soon", 400, []string{"unused must be a duration such as 30d"}, nil},
		{"an unknown order", "usage?sort=size", 400, []string{`cannot sort by "size"; use one of calls`}, nil},
		{"recommendation", "recommend?token_id=" + seen, 200, []string{"jobs", "token-management", "unity-catalog"}, nil},
		{"recommendation for programs", "recommend?format=json&token_id=" + seen, 200, []string{`"workspace":"` + workspace.URL(), `"scopes":["jobs"]`}, nil},
		{"recommendation by recent use", "recommend?used=90d&token_id=" + seen, 200, []string{"evidence   since 2", "recommend  jobs"}, nil},
		{"a malformed time", "recommend?used=soon&token_id=" + seen, 400, []string{"used must be a duration such as 30d or 12h, not \"soon\""}, nil},
		{"never seen", "recommend?token_id=" + never, 404, []string{"has not seen the token yet"}, nil},
		{"unknown token", "recommend?token_id=" + strings.Repeat("ab", 32), 404, []string{"no token of this id"}, nil},
		{"a token value", "recommend?token_id=" + token.Value, 400, []string{"64 hexadecimal digits"}, nil},
		{"a recommendation in another format", "recommend?format=csv&token_id=" + seen, 400, []string{"text or json"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := g.Admin(t, "GET", "/databricks_scopes/"+test.target)
			if status != test.status {
				t.Errorf("%d %s", status, body)
			}
			for _, part := range test.contains {
				if !strings.Contains(body, part) {
					t.Errorf("missing %q:\n%s", part, body)
				}
			}
			for _, part := range append(test.lacks, token.Value) {
				if strings.Contains(body, part) {
					t.Errorf("unexpected %q:\n%s", part, body)
				}
			}
		})
	}
}

// TestUsageWithoutList: the report says what is missing and why.
func TestUsageWithoutList(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	g.Records(t, 1)
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(403))
	_, body := g.Admin(t, "GET", "/databricks_scopes/usage?format=table")
	for _, part := range []string{token.Info.TokenId[:12], "list of tokens is unavailable", "Note: looking up a token: the workspace refused the admin credential"} {
		if !strings.Contains(body, part) {
			t.Errorf("missing %q:\n%s", part, body)
		}
	}
}

func TestUsageOfSeveralWorkspaces(t *testing.T) {
	other := fakeworkspace.New()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, fmt.Sprintf("handle /a/* {\ndatabricks_gateway %s\n}\nhandle {\ndatabricks_gateway %s {\n%s}\n}", other.URL(), workspace.URL(), harness.AdminBlock))
	if status, body := g.Admin(t, "GET", "/databricks_scopes/usage"); status != 409 || !strings.Contains(body, workspace.URL()) || !strings.Contains(body, other.URL()) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := g.Admin(t, "GET", "/databricks_scopes/usage?workspace="+workspace.URL()); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// callsOf returns how many calls the gateway reports for a token.
func callsOf(t *testing.T, g *harness.Gateway, id string) uint64 {
	t.Helper()
	status, body := g.Admin(t, "GET", "/databricks_scopes/usage")
	var report struct {
		Rows []struct {
			ID   string `json:"id"`
			Seen *struct {
				Calls uint64 `json:"calls"`
			} `json:"seen"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(body), &report); status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	for _, row := range report.Rows {
		if row.ID == id && row.Seen != nil {
			return row.Seen.Calls
		}
	}
	return 0
}

// storedUsage returns the names of the stored snapshots.
func storedUsage(t *testing.T, g *harness.Gateway) (names []string) {
	t.Helper()
	folder := filepath.Join(g.Storage, "databricks_scopes", "usage")
	err := filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(folder, file)
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

// TestUsageSurvives: a new gateway with the same storage has the usage of the old one.
func TestUsageSurvives(t *testing.T) {
	for _, test := range []struct {
		name, options string
		// between changes a stored file, after a restart.
		between  func(t *testing.T, file string)
		calls    uint64 // known at the end
		setAside bool
		stored   bool
	}{
		{name: "restart", calls: 3, stored: true},
		{name: "off", options: "usage off", calls: 1},
		{name: "corrupted", between: func(t *testing.T, file string) { write(t, file, `{"version":1,"tokens":[{"id":"x"`) }, calls: 1, setAside: true, stored: true},
		{name: "newer version", between: func(t *testing.T, file string) { write(t, file, `{"version":7,"future":true}`) }, calls: 1, setAside: true, stored: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			directives := harness.GatewayBlock(workspace, test.options)
			g := harness.StartSite(t, workspace, directives)
			token := g.Mint("jobs")
			for i := range 3 {
				g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
				g.Records(t, i+1)
				if i == 2 {
					break
				}
				harness.Stop(t)
				// Each of the two gateways has saved what it counted.
				names := storedUsage(t, g)
				if len(names) != 0 && !test.stored || len(names) != i+1 && test.stored {
					t.Fatalf("stored are %v", names)
				}
				if i == 1 && test.between != nil {
					for _, name := range names {
						test.between(t, filepath.Join(g.Storage, "databricks_scopes", "usage", name))
					}
				}
				g.Load(t, directives)
			}
			if got := callsOf(t, g, token.Info.TokenId); got != test.calls {
				t.Errorf("%d calls are known, want %d", got, test.calls)
			}
			harness.Stop(t)
			names := storedUsage(t, g)
			if aside := slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, ".unreadable-") }); aside != test.setAside {
				t.Errorf("stored files: %v", names)
			}
			for _, name := range names {
				content, err := os.ReadFile(filepath.Join(g.Storage, "databricks_scopes", "usage", name))
				if err != nil || strings.Contains(string(content), token.Value) {
					t.Errorf("%s: %v, or it contains the token", name, err)
				}
			}
		})
	}
}

// TestUsageOfOlderVersion starts with what the version before per-gateway snapshots
// saved, which has 26 calls of the token.
func TestUsageOfOlderVersion(t *testing.T) {
	const token = "ff7772053abf7d817d6eec229a09e14f0d1552f1cb0aeedb2ac73784ac2d2e39"
	workspace := harness.StartWorkspace(t)
	saved, err := os.ReadFile("../../internal/usage/testdata/shared-ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	directives := harness.GatewayBlock(workspace, "")
	g := harness.StartSite(t, workspace, directives)
	client := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList, harness.Bearer(client.Value))
	g.Records(t, 1)
	harness.Stop(t)
	names := storedUsage(t, g)
	if len(names) != 1 {
		t.Fatalf("stored are %v", names)
	}
	write(t, filepath.Join(g.Storage, "databricks_scopes", "usage", filepath.Dir(names[0])+".json"), string(saved))
	g.Load(t, directives)
	if old, own := callsOf(t, g, token), callsOf(t, g, client.Info.TokenId); old != 26 || own != 1 {
		t.Errorf("%d and %d calls are known, want 26 and 1", old, own)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUsageIsNotSavedByValidation: validating a configuration writes nothing.
func TestUsageIsNotSavedByValidation(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	folder := filepath.Join(t.TempDir(), "storage")
	config, err := harness.Adapt(fmt.Sprintf("{\nadmin off\npersist_config off\nstorage file_system %s\n}\nhttp://127.0.0.1:0 {\n%s\n}", folder, harness.GatewayBlock(workspace, "")))
	if err != nil {
		t.Fatal(err)
	}
	parsed := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(parsed); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("validation wrote to the storage: %v", err)
	}
}
