package caddymodule

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

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// adminDo calls a route of the admin API without its listener.
func adminDo(t *testing.T, method, target string) (int, string) {
	t.Helper()
	path, _, _ := strings.Cut(target, "?")
	for _, route := range (adminAPI{}).Routes() {
		if route.Pattern != path && !(strings.HasSuffix(route.Pattern, "/") && strings.HasPrefix(path, route.Pattern)) {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost:2019"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &recorder{header: http.Header{}}
		err = route.Handler.ServeHTTP(w, r)
		if failed, ok := err.(caddy.APIError); ok {
			return failed.HTTPStatus, failed.Err.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		return w.status, w.body.String()
	}
	t.Fatalf("no route for %s", path)
	return 0, ""
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.body.Write(b)
}

func TestHealth(t *testing.T) {
	workspace := startWorkspace(t)
	site := fmt.Sprintf("databricks_scopes_health\nhandle /api/* {\ndatabricks_gateway %s {\n%s\n}\n}", workspace.URL(), adminBlock)
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(403))
	h := startSite(t, workspace, site)
	probe := func(path string, want int) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for {
			got := h.send(t, "GET", path, nil)
			if got.status == want {
				if strings.Contains(got.body, workspace.URL()) {
					t.Errorf("%s tells details: %s", path, got.body)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %q, want %d", path, got.status, got.body, want)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	probe("/livez", 200)
	probe("/healthz", 200)
	probe("/readyz", 503) // the credential is refused
	workspace.Faults().Clear()
	probe("/readyz", 200) // and works, before any client came
	if status, body := adminDo(t, "GET", "/databricks_scopes/health"); status != 200 || !strings.Contains(body, `"ready":true`) {
		t.Errorf("admin API: %d %s", status, body)
	}
	lookups := workspace.Lookups()
	for range 20 {
		probe("/readyz", 200)
	}
	if got := workspace.Lookups() - lookups; got > 0 {
		t.Errorf("20 probes made %d look-ups", got)
	}
	workspace.Faults().Set("/", fakeworkspace.Unavailable(""))
	probe("/readyz", 200) // an outage makes nobody unready
	if got := h.send(t, "GET", "/other", nil); got.status != 200 || got.body != "" {
		t.Errorf("other paths go on: %d %q", got.status, got.body)
	}
}

func TestAdminExplain(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "")
	token := h.mint("sql")
	for _, test := range []struct {
		name, method, target string
		status               int
		contains             string
	}{
		{"a token that the workspace has", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&token_id=" + token.Info.TokenId, 200, `"decision":"deny","reason":"missing_scope"`},
		{"scopes", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&scopes=sql,jobs", 200, `"decision":"allow"`},
		{"no token", "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/jobs/list&token_id=" + strings.Repeat("ab", 32), 404, "no token of this id"},
		{"a token value", "GET", "/databricks_scopes/explain?method=GET&path=/&token_id=" + token.Value, 400, "64 hexadecimal digits"},
		{"both", "GET", "/databricks_scopes/explain?method=GET&path=/&scopes=x&token_id=" + token.Info.TokenId, 400, "not both"},
		{"no path", "GET", "/databricks_scopes/explain?method=GET", 400, "the path must begin with a slash"},
		{"wrong method", "POST", "/databricks_scopes/explain", 405, "use GET"},
		{"catalogue", "GET", "/databricks_scopes/catalog", 200, "GET\t/api/2.2/jobs/list\tjobs\t"},
		{"known tokens", "GET", "/databricks_scopes/tokens", 200, `{"known":1,"ids":["` + token.Info.TokenId + `"]}`},
		{"purge", "DELETE", "/databricks_scopes/tokens/" + token.Info.TokenId, 200, `"known":true`},
		{"purge again", "DELETE", "/databricks_scopes/tokens/" + token.Info.TokenId, 200, `"known":false`},
		{"purge nonsense", "DELETE", "/databricks_scopes/tokens/x", 400, "64 hexadecimal digits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := adminDo(t, test.method, test.target)
			if status != test.status || !strings.Contains(body, test.contains) {
				t.Errorf("%d %s", status, body)
			}
			if strings.Contains(body, token.Value) {
				t.Error("the answer holds the token")
			}
		})
	}
}

// scopesCommand runs a command below scopes and returns what it printed.
func scopesCommand(t *testing.T, args ...string) string {
	t.Helper()
	command := new(cobra.Command)
	caddycmd.Commands()["scopes"].CobraFunc(command)
	var out strings.Builder
	command.SetArgs(args)
	command.SetOut(&out)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestExplainIsOneAnswer holds that the running gateway and the command line give
// the same answer for the same token, policies applied.
func TestExplainIsOneAnswer(t *testing.T) {
	workspace := startWorkspace(t)
	policies := "policy p {\nmatch comment \"nightly*\"\nscopes sql\nallow GET /api/2.0/preview/sql/queries\n}\npolicy q {\nmax_lifetime 2h\nmode observe\n}"
	gateway := fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.URL(), adminBlock, policies)
	startSite(t, workspace, gateway)
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
			{"GET", jobsList}, {"GET", clustersList}, {"GET", "/api/2.0/sql/warehouses"}, {"GET", "/api/2.0/preview/sql/queries"},
			{"POST", "/api/2.0/preview/sql/queries"}, {"GET", me}, {"GET", wellKnown}, {"GET", unmappedPath}, {"GET", "/api/2.0/sql/..%2f../2.2/jobs/list"}, {"GET", "/%00"},
		} {
			t.Run(name+" "+request[0]+" "+request[1], func(t *testing.T) {
				status, live := adminDo(t, "GET", "/databricks_scopes/explain?"+url.Values{"method": {request[0]}, "path": {request[1]}, "token_id": {token.Info.TokenId}}.Encode())
				if status != 200 {
					t.Fatalf("%d %s", status, live)
				}
				offline := scopesCommand(t, "explain", request[0], request[1], "--json", "--config", file,
					"--scopes", strings.Join(spec.Scopes, ","), "--as", "comment="+spec.Comment+",lifetime="+spec.Lifetime.String())
				if offline != live {
					t.Errorf("offline %s\nlive    %s", offline, live)
				}
			})
		}
	}
}

// TestChangesHoldAtOnce changes tokens through the gateway. Facts are good for a
// day here, so that whatever is noticed, was noticed in passing.
func TestChangesHoldAtOnce(t *testing.T) {
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
			workspace := startWorkspace(t)
			h := startGateway(t, workspace, "cache {\nttl 1d\n}")
			admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "boss@example.com", Admin: true})
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "boss@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
			if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
				t.Fatalf("before: %d", got.status)
			}
			got := h.send(t, test.method, test.path(token.Info.TokenId), func(r *http.Request) {
				bearer(admin.Value)(r)
				if test.body != nil {
					text := test.body(token.Info.TokenId)
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
					r.Header.Set("Content-Type", "application/json")
				}
			})
			if refused := got.status != 200; refused != (test.status == 200) {
				t.Fatalf("the change: %d %s", got.status, got.body)
			}
			if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != test.status {
				t.Errorf("after: %d, want %d", got.status, test.status)
			}
		})
	}
}

func TestNewTokenWorksAtOnce(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "cache {\nnegative_ttl 1d\n}")
	admin := h.mint()
	const value = "dapi00000000000000000000000000000001"
	if got := h.send(t, "GET", jobsList, bearer(value)); got.status != 403 {
		t.Fatalf("before it exists: %d", got.status)
	}
	workspace.Mint(fakeworkspace.TokenSpec{Value: value})
	got := h.send(t, "POST", "/api/2.0/token/create", func(r *http.Request) {
		bearer(admin.Value)(r)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	})
	if got.status != 200 {
		t.Fatalf("minting: %d %s", got.status, got.body)
	}
	var minted struct {
		Value string `json:"token_value"`
	}
	if err := json.Unmarshal([]byte(got.body), &minted); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{value, minted.Value} {
		if got := h.send(t, "GET", jobsList, bearer(token)); got.status != 200 {
			t.Errorf("after: %d", got.status)
		}
	}
}

// TestMintingNeedsFreshFacts holds that stale facts serve for reading, and never
// for minting tokens.
func TestMintingNeedsFreshFacts(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "cache {\nttl 1ns\n}")
	token := h.mint("authentication", "jobs")
	if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
		t.Fatalf("before: %d", got.status)
	}
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.Unavailable("1"))
	if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
		t.Errorf("reading in an outage: %d", got.status)
	}
	if got := h.send(t, "GET", "/api/2.0/token/list", bearer(token.Value)); got.status != 503 {
		t.Errorf("minting in an outage: %d", got.status)
	}
	if record := h.records(t, 2)[1]; record["facts_source"] != "stale" {
		t.Errorf("stale use does not show: %v", record)
	}
}
