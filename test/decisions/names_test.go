package decisions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestUnknownNames: a scope that nothing knows refuses no configuration and no look-up. It
// permits nothing, and the operator is told, once for each name.
func TestUnknownNames(t *testing.T) {
	folder := t.TempDir()
	routes := filepath.Join(folder, "routes.tsv")
	if err := os.WriteFile(routes, []byte("GET\t/api/2.0/things\tteleport\nGET\t/api/2.0/others\tjbos\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(folder, "log")
	workspace := harness.StartWorkspace(t)
	g := harness.NewGateway(t, workspace)
	g.Global = "log warnings {\noutput file " + log + "\nlevel WARN\n}"
	g.Load(t, harness.GatewayBlock(workspace, `oauth verify
		routes `+routes+`
		policy closed {
			match scope unity_c*
			scopes unity_catalog sql.statement-execution
		}
		policy open {
			match scope JOBS clustres
			scopes jobs jbos
		}`))

	misspelled := g.Mint("unity_catalog", "unity-catalog")
	const catalogs = "/api/2.1/unity-catalog/catalogs"
	for range 3 {
		if got := g.Send(t, "GET", catalogs, harness.Bearer(misspelled.Value)); got.StatusCode != 403 || !strings.Contains(got.Body, "policy_denied") {
			t.Fatalf("a policy of which no scope is known permits: %d %s", got.StatusCode, got.Body)
		}
	}
	for i := range 100 {
		token := g.Mint("jobs", "teleport", fmt.Sprintf("flood-%d", i))
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
			t.Fatalf("an unknown name beside a known one: %d %s", got.StatusCode, got.Body)
		}
	}
	signed := workspace.SignJWT(map[string]any{"scope": "openid sql.warehouses:read sql.statement_execution"})
	for range 3 {
		if got := g.Send(t, "GET", warehousesList, harness.Bearer(signed)); got.StatusCode != 200 {
			t.Fatalf("an unknown name on an OAuth token: %d %s", got.StatusCode, got.Body)
		}
	}

	told := make(map[string]int)
	closed := 0
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var entry struct {
			Level, Msg, Scope, Problem, Policy, TokenID string
			First                                       []string // of the rows of a file
		}
		if err := json.Unmarshal(bytes.ReplaceAll(line, []byte("token_id"), []byte("TokenID")), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case strings.HasPrefix(entry.Msg, "a policy permits nothing") && entry.Level == "error" && entry.Policy == "closed":
			closed++
		case entry.Problem != "":
			told[entry.Policy+"|"+entry.Problem]++
			if entry.Policy == "" && len(entry.TokenID) != 64 {
				t.Errorf("it does not say on which token: %s", line)
			}
		case strings.HasPrefix(entry.Msg, "the routes file: "):
			for _, row := range entry.First {
				told[row]++
			}
		case strings.HasPrefix(entry.Msg, "more names"):
			told["more"]++
		}
	}
	if closed != 1 {
		t.Errorf("it is said %d times that a policy permits nothing", closed)
	}
	for _, want := range []string{
		`closed|unknown scope "unity_catalog"; did you mean unity-catalog?`,
		`closed|only OAuth access tokens carry the scope "sql.statement-execution": in a policy it permits nothing; write sql`,
		`open|unknown scope "jbos"; did you mean jobs?`,
		`open|unknown scope "clustres"; did you mean clusters?`,
		`line 1: GET /api/2.0/things: unknown scope "teleport"`,
		`line 2: GET /api/2.0/others: unknown scope "jbos"; did you mean jobs?`,
		`|unknown scope "unity_catalog"; did you mean unity-catalog?`,
		`|unknown scope "teleport"`,
		"more",
	} {
		if told[want] != 1 {
			t.Errorf("%d times: %s", told[want], want)
		}
	}
	if len(told) > 80 {
		t.Errorf("%d different warnings", len(told))
	}
	if bytes.Contains(content, []byte(misspelled.Value)) || bytes.Contains(content, []byte(signed)) {
		t.Error("a token is in the log")
	}
}
