package operations

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

func TestHealth(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	site := "databricks_scopes_health\nhandle /api/* {\n" + harness.GatewayBlock(workspace, "") + "\n}"
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(403))
	g := harness.NewGateway(t, workspace)
	g.Global = "shutdown_delay 1ms" // in place of 3 s at the end of this test
	g.Load(t, site)
	reason := ""
	probe := func(path string, want int) {
		t.Helper()
		var got harness.Answer
		harness.WaitFor(t, fmt.Sprintf("%s to answer %d", path, want), func() bool {
			got = g.Send(t, "GET", path, nil)
			return got.StatusCode == want
		})
		if strings.Contains(got.Body, os.Getenv("TEST_ADMIN_SECRET")) {
			t.Errorf("%s reveals the secret: %s", path, got.Body)
		}
		if path != "/readyz" {
			return
		}
		var answer struct {
			Ready      bool
			Workspaces []struct{ Workspace, Reason string }
		}
		if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
			t.Fatalf("%s: %v", got.Body, err)
		}
		if answer.Ready != (want == 200) || len(answer.Workspaces) != 1 || answer.Workspaces[0].Workspace != workspace.URL() || answer.Workspaces[0].Reason != reason {
			t.Errorf("%s, want %d and reason %q", got.Body, want, reason)
		}
	}
	probe("/livez", 200)
	probe("/healthz", 200)
	reason = "admin_rejected"
	probe("/readyz", 503) // the workspace refuses the admin credential
	workspace.Faults().Clear()
	reason = ""
	probe("/readyz", 200) // the credential works, though no client has sent a request
	if status, body := g.Admin(t, "GET", "/databricks_scopes/health"); status != 200 || !strings.Contains(body, `"ready":true`) {
		t.Errorf("admin API: %d %s", status, body)
	}
	probes := workspace.Counts().Probes
	for range 20 {
		probe("/readyz", 200)
	}
	if got := workspace.Counts().Probes - probes; got > 0 {
		t.Errorf("20 probes made %d look-ups", got)
	}
	workspace.Faults().Set("/", fakeworkspace.Unavailable(""))
	probe("/readyz", 200) // an outage does not make the gateway unready
	if got := g.Send(t, "GET", "/other", nil); got.StatusCode != 404 {
		t.Errorf("another path: %d %q", got.StatusCode, got.Body)
	}
}

func TestAdminExplain(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	token := g.Mint("sql")
	for _, test := range []struct {
		name, method, target string
		status               int
		contains             string
	}{
		{"a known token", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&token_id=" + token.Info.TokenId, 200, `"decision":"deny","reason":"missing_scope"`},
		{"scopes", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&scopes=sql,jobs", 200, `"decision":"allow"`},
		{"unknown token", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&token_id=" + strings.Repeat("ab", 32), 404, "no token of this id"},
		{"a token value", "GET", "/databricks_scopes/explain?method=GET&path=/&token_id=" + token.Value, 400, "64 hexadecimal digits"},
		{"both", "GET", "/databricks_scopes/explain?method=GET&path=/&scopes=x&token_id=" + token.Info.TokenId, 400, "not both"},
		{"no path", "GET", "/databricks_scopes/explain?method=GET", 400, "the path must begin with a slash"},
		{"wrong method", "POST", "/databricks_scopes/explain", 405, "use GET"},
		{"catalog", "GET", "/databricks_scopes/catalog", 200, "GET\t/api/2.2/jobs/list\tjobs\t"},
		{"known tokens", "GET", "/databricks_scopes/tokens", 200, `{"known":1,"ids":["` + token.Info.TokenId + `"]}`},
		{"purge", "DELETE", "/databricks_scopes/tokens/" + token.Info.TokenId, 200, `"known":true`},
		{"purge again", "DELETE", "/databricks_scopes/tokens/" + token.Info.TokenId, 200, `"known":false`},
		{"purge a malformed id", "DELETE", "/databricks_scopes/tokens/x", 400, "64 hexadecimal digits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := g.Admin(t, test.method, test.target)
			if status != test.status || !strings.Contains(body, test.contains) {
				t.Errorf("%d %s", status, body)
			}
			if strings.Contains(body, token.Value) {
				t.Error("the response contains the token")
			}
		})
	}
}

// TestExplainIsOneAnswer: the running gateway and the command explain the same token in
// the same way, policies included.
func TestExplainIsOneAnswer(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	policies := "policy p {\nmatch comment \"nightly*\"\nscopes sql\nallow GET /api/2.0/preview/sql/queries\n}\npolicy q {\nmax_lifetime 2h\nmode observe\n}"
	gateway := harness.GatewayBlock(workspace, policies)
	g := harness.StartSite(t, workspace, gateway)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(":0 {\n"+gateway+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]fakeworkspace.TokenSpec{
		"of the policy":     {Comment: "nightly run", Scopes: []string{"jobs", "sql"}, Lifetime: time.Hour},
		"legacy":            {Comment: "laptop", Lifetime: time.Hour},
		"living for longer": {Comment: "laptop", Scopes: []string{"jobs"}, Lifetime: 3 * time.Hour},
	} {
		token := workspace.Mint(spec)
		for _, request := range [][2]string{
			{"GET", harness.JobsList}, {"GET", harness.ClustersList}, {"GET", "/api/2.0/sql/warehouses"}, {"GET", "/api/2.0/preview/sql/queries"},
			{"POST", "/api/2.0/preview/sql/queries"}, {"GET", harness.Me}, {"GET", harness.WellKnown}, {"GET", harness.UnmappedPath}, {"GET", "/api/2.0/sql/..%2f../2.2/jobs/list"}, {"GET", "/%00"},
		} {
			t.Run(name+" "+request[0]+" "+request[1], func(t *testing.T) {
				status, live := g.Admin(t, "GET", "/databricks_scopes/explain?"+url.Values{"method": {request[0]}, "path": {request[1]}, "token_id": {token.Info.TokenId}}.Encode())
				if status != 200 {
					t.Fatalf("%d %s", status, live)
				}
				args := []string{"explain", request[0], request[1], "--config", file, "--json", "--as", "comment=" + spec.Comment + ",lifetime=" + spec.Lifetime.String()}
				if len(spec.Scopes) > 0 {
					args = append(args, "--scopes", strings.Join(spec.Scopes, ","))
				}
				offline, err := harness.Command(t, "", "scopes", args...)
				if err != nil {
					t.Fatal(err)
				}
				if strings.TrimSpace(offline) != strings.TrimSpace(live) {
					t.Errorf("offline %s\nlive    %s", offline, live)
				}
			})
		}
	}
}

// TestChangesApplyAtOnce changes tokens through the gateway. The cache keeps facts fresh
// for a day, so the gateway can only learn of a change from the request that makes it.
func TestChangesApplyAtOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string
		path   func(id string) string
		body   func(id string) string
		status int // of the token's next request for jobs
	}{
		{"admin deletes", "DELETE", func(id string) string { return "/api/2.0/token-management/tokens/" + id }, nil, 403},
		{"admin narrows", "PATCH", func(id string) string { return "/api/2.0/token-management/tokens/" + id }, func(string) string {
			return `{"token":{"scopes":["sql"]},"update_mask":"scopes"}`
		}, 403},
		{"owner deletes", "POST", func(string) string { return "/api/2.0/token/delete" }, func(id string) string {
			return `{"token_id":"` + id + `"}`
		}, 403},
		{"owner narrows", "PATCH", func(id string) string { return "/api/2.0/token/" + id }, func(string) string {
			return `{"token":{"scopes":["sql"]},"update_mask":"scopes"}`
		}, 403},
		{"a refused change changes nothing", "DELETE", func(string) string { return "/api/2.0/token-management/tokens/" + strings.Repeat("ab", 32) }, nil, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			g := harness.StartGateway(t, workspace, "cache {\nttl 1d\n}")
			admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "boss@example.com", Admin: true})
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "boss@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
				t.Fatalf("before: %d", got.StatusCode)
			}
			got := g.Send(t, test.method, test.path(token.Info.TokenId), func(r *http.Request) {
				harness.Bearer(admin.Value)(r)
				if test.body != nil {
					text := test.body(token.Info.TokenId)
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
					r.Header.Set("Content-Type", "application/json")
				}
			})
			if refused := got.StatusCode != 200; refused != (test.status == 200) {
				t.Fatalf("the change: %d %s", got.StatusCode, got.Body)
			}
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != test.status {
				t.Errorf("after: %d, want %d", got.StatusCode, test.status)
			}
		})
	}
}

func TestNewTokenWorksAtOnce(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "cache {\nnegative_ttl 1d\n}")
	admin := g.Mint()
	const value = "dapi00000000000000000000000000000001"
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(value)); got.StatusCode != 403 {
		t.Fatalf("before it exists: %d", got.StatusCode)
	}
	workspace.Mint(fakeworkspace.TokenSpec{Value: value})
	got := g.Send(t, "POST", "/api/2.0/token/create", func(r *http.Request) {
		harness.Bearer(admin.Value)(r)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	})
	if got.StatusCode != 200 {
		t.Fatalf("minting: %d %s", got.StatusCode, got.Body)
	}
	var minted struct {
		Value string `json:"token_value"`
	}
	if err := json.Unmarshal([]byte(got.Body), &minted); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{value, minted.Value} {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token)); got.StatusCode != 200 {
			t.Errorf("after: %d", got.StatusCode)
		}
	}
}

// TestMintingNeedsFreshFacts: a token with stale facts may read, but not mint tokens.
func TestMintingNeedsFreshFacts(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "cache {\nttl 1ns\n}")
	token := g.Mint("authentication", "jobs")
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
		t.Fatalf("before: %d", got.StatusCode)
	}
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.Unavailable("1"))
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
		t.Errorf("reading in an outage: %d", got.StatusCode)
	}
	if got := g.Send(t, "GET", "/api/2.0/token/list", harness.Bearer(token.Value)); got.StatusCode != 503 {
		t.Errorf("minting in an outage: %d", got.StatusCode)
	}
	if record := g.Records(t, 2)[1]; record["facts_source"] != "stale" {
		t.Errorf("the record does not show that the facts were stale: %v", record)
	}
}

// TestAdminExplainOfSeveralHandlers: the admin API explains for several handlers only if
// they decide alike.
func TestAdminExplainOfSeveralHandlers(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	for _, test := range []struct {
		name, one, other string
		status           int
	}{
		{"the same", "", "unscoped_tokens allow", 200},
		{"one is rehearsed", "", "mode observe", 200},
		{"other OAuth tokens", "", "oauth pass", 200},
		{"other cache", "", "cache {\nttl 5m\n}", 200},
		{"other unscoped tokens", "", "unscoped_tokens deny", 409},
		{"other policies", "policy p {\nscopes jobs\n}", "policy p {\nscopes sql\n}", 409},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.StartSite(t, workspace, "handle /a/* {\n"+harness.GatewayBlock(workspace, test.one)+"\n}\nhandle {\n"+harness.GatewayBlock(workspace, test.other)+"\n}")
			status, body := g.Admin(t, "GET", "/databricks_scopes/explain?method=GET&path="+harness.JobsList)
			if status != test.status || status == 409 && !strings.Contains(body, "different rules") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}
