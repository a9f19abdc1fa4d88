package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a request through the gateway with a fresh connection.
func (h *harness) send(t testing.TB, method, path string, change func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(r)
	// Caddy swaps the listening socket at a reload. What connects to the old one at
	// the last moment is reset or closed without an answer, and has reached nobody.
	for deadline := time.Now().Add(5 * time.Second); h.loads > 1 && hungUp(err) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		response, err = transport.RoundTrip(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// sendAfterReload is send for the first request after a reload: what connects at the
// last moment may still be answered by the old configuration, whose sockets Caddy
// closes in the background.
func (h *harness) sendAfterReload(t testing.TB, method, path string, change func(*http.Request), want int) answer {
	t.Helper()
	got := h.send(t, method, path, change)
	for deadline := time.Now().Add(5 * time.Second); got.status != want && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		got = h.send(t, method, path, change)
	}
	return got
}

func hungUp(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, io.EOF)
}

func bearer(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+value) }
}

const (
	jobsList     = "/api/2.2/jobs/list"
	clustersList = "/api/2.1/clusters/list"
	me           = "/api/2.0/preview/scim/v2/Me"
	wellKnown    = "/.well-known/databricks-config"
	unmappedPath = "/api/2.0/nobody/knows/this"
)

func TestDecisions(t *testing.T) {
	workspace := startWorkspace(t, fakeworkspace.WithScopeCheck(catalogScopes))
	h := startGateway(t, workspace, "")
	var (
		jobs    = h.mint("jobs")
		legacy  = h.mint()
		all     = h.mint("all-apis")
		expired = workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, ExpiryTime: time.Now().Add(-time.Minute)})
		revoked = h.mint("jobs")
		// What Databricks saw a token use is no permission.
		inferred = workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"sql"}, InferredScopes: []string{"jobs"}, BackfillScopes: []string{"jobs"}})
	)
	workspace.Revoke(revoked.Info.TokenId)

	const (
		invalid      = "Invalid access token."
		noCredential = "Credential was not sent or was of an unsupported type for this API."
		scope        = "Provided access token does not have required scopes: "
	)
	for _, test := range []struct {
		name    string
		method  string
		path    string
		change  func(*http.Request)
		status  int
		reason  string // of the record
		message string // of the refusal
	}{
		{"permitted", "GET", jobsList, bearer(jobs.Value), 200, "permitted", ""},
		{"basic", "GET", jobsList, func(r *http.Request) { r.SetBasicAuth("token", jobs.Value) }, 200, "permitted", ""},
		{"another version of the API", "GET", "/api/2.1/jobs/list", bearer(jobs.Value), 200, "permitted", ""},
		{"query", "GET", jobsList + "?limit=1", bearer(jobs.Value), 200, "permitted", ""},
		{"bare question mark", "GET", jobsList + "?", bearer(jobs.Value), 200, "permitted", ""},
		{"head is judged as get", "HEAD", jobsList, bearer(jobs.Value), 200, "permitted", ""},
		{"any scope will do for Me", "GET", me, bearer(jobs.Value), 200, "permitted", ""},
		{"legacy token", "GET", clustersList, bearer(legacy.Value), 200, "permitted", ""},
		{"all-apis", "GET", clustersList, bearer(all.Value), 200, "permitted", ""},
		{"unmapped path with all-apis", "GET", unmappedPath, bearer(all.Value), 404, "permitted", ""},
		{"discovery needs no token", "GET", wellKnown, nil, 200, "public_route", ""},
		{"discovery with a token of no known shape", "GET", wellKnown, bearer("x"), 200, "public_route", ""},

		{"missing scope", "GET", clustersList, bearer(jobs.Value), 403, "missing_scope", scope + "clusters"},
		{"unmapped path", "GET", unmappedPath, bearer(jobs.Value), 403, "missing_scope", scope + "all-apis"},
		{"a method that no operation has", "DELETE", jobsList, bearer(jobs.Value), 403, "missing_scope", scope + "all-apis"},
		{"inferred scopes grant nothing", "GET", jobsList, bearer(inferred.Value), 403, "missing_scope", scope + "jobs"},
		{"expired", "GET", jobsList, bearer(expired.Value), 403, "token_expired", invalid},
		{"revoked", "GET", jobsList, bearer(revoked.Value), 403, "unknown_token", invalid},
		{"never existed", "GET", jobsList, bearer("dapi00000000000000000000000000000000"), 403, "unknown_token", invalid},
		{"no credential", "GET", jobsList, nil, 401, "missing_credential", noCredential},
		{"empty credential", "GET", jobsList, func(r *http.Request) { r.Header.Set("Authorization", "") }, 401, "missing_credential", noCredential},
		{"unknown shape", "GET", jobsList, bearer("secret"), 401, "unsupported_credential", noCredential},
		{"password", "GET", jobsList, func(r *http.Request) { r.SetBasicAuth("me@example.com", "secret") }, 401, "unsupported_credential", noCredential},
		{"OAuth token", "GET", jobsList, bearer(workspace.SignJWT(nil)), 401, "unsupported_credential", noCredential + " What was sent is an OAuth access token."},
		{"cluster-internal token", "GET", jobsList, bearer("dkea0123456789abcdef0123456789abcdef"), 401, "unsupported_credential", noCredential + " What was sent is a cluster-internal token."},
		{"token id", "GET", jobsList, bearer(jobs.Info.TokenId), 401, "unsupported_credential", noCredential + " What was sent is the id of a token, not its value."},
		{"another workspace named", "GET", jobsList, func(r *http.Request) {
			bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Workspace-Id", "42")
		}, 403, "wrong_workspace", invalid},
		{"another workspace named in the query", "GET", jobsList + "?o=42", bearer(jobs.Value), 403, "wrong_workspace", invalid},
		{"this workspace named", "GET", jobsList, func(r *http.Request) {
			bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Org-Id", strconv.FormatInt(workspace.WorkspaceID(), 10))
		}, 200, "permitted", ""},

		{"two credentials", "GET", jobsList, func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + jobs.Value, "Bearer " + legacy.Value}
		}, 400, "ambiguous_request", "More than one Authorization header was sent; send exactly one."},
		{"credential that a proxy would drop", "GET", jobsList, func(r *http.Request) {
			bearer(jobs.Value)(r)
			r.Header.Set("Connection", "close, authorization")
		}, 400, "ambiguous_request", "The Connection header names Authorization, which would be lost on the way; do not name it there."},
		{"second credential in the query", "GET", jobsList + "?access_token=x", bearer(jobs.Value), 400, "ambiguous_request", "A token was sent as the query parameter access_token; send it in the Authorization header only."},
		{"the same in another spelling", "GET", jobsList + "?access%5Ftoken=x", bearer(jobs.Value), 400, "ambiguous_request", "A token was sent as the query parameter access_token; send it in the Authorization header only."},
		{"two workspaces", "GET", jobsList + "?o=1", func(r *http.Request) {
			bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Org-Id", "2")
		}, 400, "ambiguous_request", "The request names more than one workspace; name one."},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(h.readRecords(t))
			workspace.Reset()
			got := h.send(t, test.method, test.path, test.change)
			if got.status != test.status {
				t.Errorf("status %d, want %d\n%s", got.status, test.status, got.body)
			}
			record := h.records(t, before+1)[before]
			refused := test.message != ""
			if record["reason"] != test.reason || record["enforced"] != true || record["status"] != float64(test.status) {
				t.Errorf("record: %v", record)
			}
			if refused {
				checkRefusal(t, got, test.reason, test.message)
				if record["request_id"] != got.header.Get("X-Request-Id") || record["decision"] != "deny" {
					t.Errorf("record: %v", record)
				}
			} else if got.header.Get("X-Scopegate-Reason") != "" {
				t.Errorf("refused: %s", got.body)
			}
			for _, arrived := range workspace.Requests() {
				if refused && arrived.TokenID != "" {
					t.Errorf("a refused request reached the workspace: %s %s", arrived.Method, arrived.URI)
				}
			}
		})
	}
}

// TestTokenOfAnotherWorkspace holds that facts which name another workspace than
// the one that answers are not believed to be about this one.
func TestTokenOfAnotherWorkspace(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "")
	good, foreign := h.mint("jobs"), h.mint("jobs")
	workspace.Update(foreign.Info.TokenId, func(info *settings.TokenInfo) { info.WorkspaceId = 42 })
	if got := h.send(t, "GET", jobsList, bearer(good.Value)); got.status != 200 {
		t.Fatalf("this workspace's token: %d", got.status)
	}
	got := h.send(t, "GET", jobsList, bearer(foreign.Value))
	if got.status != 403 {
		t.Fatalf("another workspace's token: %d", got.status)
	}
	if reason := h.records(t, 2)[1]["reason"]; reason != "wrong_workspace" && reason != "unknown_token" {
		t.Errorf("reason %v", reason)
	}
}

// checkRefusal checks the whole wire form of a refusal but the status.
func checkRefusal(t *testing.T, got answer, reason, message string) {
	t.Helper()
	id := got.header.Get("X-Request-Id")
	for name, want := range map[string]string{
		"Content-Type":               "application/json; charset=utf-8",
		"X-Scopegate-Reason":         reason,
		"X-Databricks-Reason-Phrase": message,
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	if len(id) != 36 {
		t.Errorf("X-Request-Id: %q", id)
	}
	var body struct {
		ErrorCode int    `json:"error_code"`
		Message   string `json:"message"`
		Details   []struct {
			Type     string            `json:"@type"`
			Domain   string            `json:"domain"`
			Metadata map[string]string `json:"metadata"`
		} `json:"details"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("body %q: %v", got.body, err)
	}
	if body.ErrorCode != got.status || body.Message != message+" [ReqId: "+id+"]" {
		t.Errorf("body: %s", got.body)
	}
	if len(body.Details) != 1 || body.Details[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || body.Details[0].Metadata["reason"] != reason {
		t.Errorf("details: %s", got.body)
	}
	challenge := got.header.Get("WWW-Authenticate")
	switch {
	case got.status == 401 && challenge != `Bearer realm="DatabricksRealm"`,
		reason == "missing_scope" && !strings.Contains(challenge, `error="insufficient_scope"`),
		got.status != 401 && reason != "missing_scope" && challenge != "":
		t.Errorf("WWW-Authenticate: %q", challenge)
	}
}

func TestRefusalNamesScopes(t *testing.T) {
	h := startGateway(t, startWorkspace(t), "")
	token := h.mint("sql", "jobs")
	got := h.send(t, "GET", clustersList, func(r *http.Request) {
		bearer(token.Value)(r)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
	})
	want := `Bearer realm="DatabricksRealm", error="insufficient_scope", error_description="Provided access token does not have required scopes: clusters", scope="clusters"`
	if challenge := got.header.Get("WWW-Authenticate"); challenge != want {
		t.Errorf("challenge\n%s\nwant\n%s", challenge, want)
	}
	for _, part := range []string{
		`"reason":"MISSING_SCOPE"`, `"domain":"scopegate"`, `"required_scopes":"clusters"`,
		`"token_scopes":"sql,jobs"`, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`, `"operation":"`,
	} {
		if !strings.Contains(got.body, part) {
			t.Errorf("the body lacks %s\n%s", part, got.body)
		}
	}
}

func TestObserve(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "mode observe")
	jobs := h.mint("jobs")
	for i, test := range []struct {
		name     string
		change   func(*http.Request)
		status   int
		decision string
		reason   string
	}{
		{"permitted", bearer(jobs.Value), 200, "allow", "permitted"},
		{"missing scope", bearer(jobs.Value), 200, "deny", "missing_scope"},
		{"no credential", nil, 401, "deny", "missing_credential"},
		{"cookie", func(r *http.Request) { bearer(jobs.Value)(r); r.Header.Set("Cookie", "a=b") }, 200, "allow", "permitted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := jobsList
			if test.reason == "missing_scope" {
				path = clustersList
			}
			got := h.send(t, "GET", path, test.change)
			if got.status != test.status || got.header.Get("X-Scopegate-Reason") != "" {
				t.Errorf("status %d, by us: %q", got.status, got.header.Get("X-Scopegate-Reason"))
			}
			record := h.records(t, i+1)[i]
			if record["decision"] != test.decision || record["reason"] != test.reason || record["enforced"] != false {
				t.Errorf("record: %v", record)
			}
			if test.name == "cookie" {
				arrived, _ := workspace.LastRequest()
				if arrived.Header.Get("Cookie") == "" || record["dropped_headers"] == nil {
					t.Error("observe changed the request, or did not say what it would change")
				}
			}
		})
	}
}

func TestUnscopedTokensDeny(t *testing.T) {
	h := startGateway(t, startWorkspace(t), "unscoped_tokens deny")
	legacy, all := h.mint(), h.mint("all-apis")
	for _, test := range []struct {
		name, path, value string
		status            int
	}{
		{"legacy token", jobsList, legacy.Value, 403},
		{"legacy token asks who it is", me, legacy.Value, 403},
		{"all-apis", jobsList, all.Value, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := h.send(t, "GET", test.path, bearer(test.value)); got.status != test.status {
				t.Errorf("status %d, want %d: %s", got.status, test.status, got.body)
			}
		})
	}
}

func TestOAuthPass(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "oauth pass")
	got := h.send(t, "GET", jobsList, bearer(workspace.SignJWT(nil)))
	record := h.records(t, 1)[0]
	if got.status != 200 || record["reason"] != "oauth_passed" || record["decision"] != "allow" {
		t.Errorf("status %d, record %v", got.status, record)
	}
	if got := h.send(t, "GET", jobsList, bearer("secret")); got.status != 401 {
		t.Errorf("what is no JWT: status %d", got.status)
	}
}

func TestRecordIsTheSameForAll(t *testing.T) {
	h := startGateway(t, startWorkspace(t), "")
	token := h.mint("jobs")
	h.send(t, "GET", jobsList+"?secret=query", bearer(token.Value))
	h.send(t, "GET", clustersList, bearer(token.Value))
	h.send(t, "GET", jobsList, nil)
	h.send(t, "GET", wellKnown, nil)
	h.send(t, "GET", "/a%00b", nil)
	for i, record := range h.records(t, 5) {
		for _, field := range audit.FieldNames() {
			if _, ok := record[field]; !ok {
				t.Errorf("record %d lacks %s", i, field)
			}
		}
	}
	content, err := os.ReadFile(h.audit)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token.Value, "secret=query"} {
		if strings.Contains(string(content), secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	workspace := startWorkspace(t)
	h := startSite(t, workspace, `databricks_scopes {
		workspace `+workspace.URL()+`
		`+adminBlock+`
	}
	respond "{http.auth.user.id}|{databricks_scopes.token_id}|{databricks_scopes.owner}|{databricks_scopes.scopes}|{databricks_scopes.required}|{databricks_scopes.operation}|{databricks_scopes.decision}|{databricks_scopes.reason}|{databricks_scopes.facts_age}"`)
	token := h.mint("jobs", "sql")
	owner := strconv.FormatInt(token.Info.OwnerId, 10)
	got := strings.Split(h.send(t, "GET", jobsList, bearer(token.Value)).body, "|")
	age, err := strconv.ParseFloat(got[8], 64)
	if err != nil || age < 0 || age > 60 {
		t.Errorf("facts_age: %q", got[8])
	}
	want := []string{owner, token.Info.TokenId, owner, "jobs,sql", "jobs", got[5], "allow", "permitted"}
	if !slices.Equal(got[:8], want) || got[5] == "" {
		t.Errorf("got  %v\nwant %v", got[:8], want)
	}
}
