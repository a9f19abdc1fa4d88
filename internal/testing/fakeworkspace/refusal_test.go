package fakeworkspace_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// needs is a small scope check for these tests.
func needs(method, path string) (anyOf []string, public bool) {
	switch {
	case path == "/api/2.0/preview/scim/v2/Me":
		return nil, false
	case strings.HasPrefix(path, "/api/2.2/jobs/"):
		return []string{"jobs"}, false
	case strings.HasSuffix(path, "/invocations"):
		return []string{"model-serving", "model-serving-inference"}, false
	case strings.HasPrefix(path, "/api/2.0/token-management/"):
		return []string{"authentication"}, false
	default:
		return []string{"all-apis"}, false
	}
}

func TestRefusals(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	w := start(t, fakeworkspace.WithScopeCheck(needs), fakeworkspace.WithClock(func() time.Time { return now }))
	mint := func(spec fakeworkspace.TokenSpec) string { return w.Mint(spec).Value }
	jobs := mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	everything := mint(fakeworkspace.TokenSpec{Scopes: []string{"all-apis"}})
	legacy := mint(fakeworkspace.TokenSpec{})
	lateToday := mint(fakeworkspace.TokenSpec{ExpiryTime: now.Add(time.Millisecond)})
	expired := mint(fakeworkspace.TokenSpec{ExpiryTime: now})
	foreign := mint(fakeworkspace.TokenSpec{WorkspaceID: 42})
	revoked := w.Mint(fakeworkspace.TokenSpec{})
	w.Revoke(revoked.Info.TokenId)
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	const (
		none    = "Credential was not sent or was of an unsupported type for this API."
		invalid = "Invalid access token."
		scope   = "Provided access token does not have required scopes: "
		list    = "GET /api/2.2/jobs/list"
	)
	tests := []struct {
		name          string
		request       string
		authorization string
		status        int
		message       string // from the front door, without ReqId; empty if it accepts the request
		code          string // from a service
	}{
		{name: "scope held", request: list, authorization: "Bearer " + jobs, status: 200},
		{name: "all-apis held", request: list, authorization: "Bearer " + everything, status: 200},
		{name: "legacy token", request: list, authorization: "Bearer " + legacy, status: 200},
		{name: "expiry not reached", request: list, authorization: "Bearer " + lateToday, status: 200},
		{name: "basic", request: list, authorization: basic("token", jobs), status: 200},
		{name: "scheme in another case", request: list, authorization: "bEARER " + jobs, status: 200},
		{name: "trailing question mark", request: list + "?", authorization: "Bearer " + jobs, status: 200},
		{name: "any scope is enough for Me", request: "GET /api/2.0/preview/scim/v2/Me", authorization: "Bearer " + jobs, status: 200},

		{name: "no credential", request: list, status: 401, message: none},
		{name: "unknown shape", request: list, authorization: "Bearer bad_token_1", status: 401, message: none},
		{name: "short", request: list, authorization: "Bearer dapi0", status: 401, message: none},
		{name: "dash without number", request: list, authorization: "Bearer dapi" + strings.Repeat("0", 32) + "-", status: 401, message: none},
		{name: "token id instead of token", request: list, authorization: "Bearer " + revoked.Info.TokenId, status: 401, message: none},
		{name: "basic with another user", request: list, authorization: basic("alice", jobs), status: 401, message: none},
		{name: "basic that is not base64", request: list, authorization: "Basic !!!", status: 401, message: none},
		{name: "another scheme", request: list, authorization: "Negotiate " + jobs, status: 401, message: none},
		{name: "no scheme", request: list, authorization: jobs, status: 401, message: none},

		{name: "unknown token", request: list, authorization: "Bearer dapi" + strings.Repeat("0", 32), status: 403, message: invalid},
		{name: "unknown token with suffix", request: list, authorization: "Bearer dapi" + strings.Repeat("0", 32) + "-3", status: 403, message: invalid},
		{name: "known token with an added suffix", request: list, authorization: "Bearer " + jobs + "-2", status: 403, message: invalid},
		{name: "revoked token", request: list, authorization: "Bearer " + revoked.Value, status: 403, message: invalid},
		{name: "expired token", request: list, authorization: "Bearer " + expired, status: 403, message: invalid},
		{name: "garbage access token", request: list, authorization: "Bearer eyJh.eyJh.sig", status: 403, message: invalid},
		{name: "token of another workspace", request: list, authorization: "Bearer " + foreign, status: 403, message: "Invalid access to Org: 3141592653589793"},

		{name: "missing scope", request: "POST /serving-endpoints/chat/invocations", authorization: "Bearer " + jobs, status: 403, message: scope + "model-serving, model-serving-inference"},
		{name: "unknown path, scoped token", request: "GET /api/9.9/nothing", authorization: "Bearer " + jobs, status: 403, message: scope + "all-apis"},
		{name: "unknown path, no credential", request: "GET /api/9.9/nothing", status: 401, message: none},
		{name: "unknown path", request: "GET /api/9.9/nothing", authorization: "Bearer " + everything, status: 404, code: "ENDPOINT_NOT_FOUND"},
		{name: "unknown method", request: "PUT /api/2.2/jobs/list", authorization: "Bearer " + everything, status: 404, code: "ENDPOINT_NOT_FOUND"},
		{name: "no redirect to a slash", request: "GET /api/2.0/fs/files", authorization: "Bearer " + everything, status: 404, code: "ENDPOINT_NOT_FOUND"},
		{name: "not an admin", request: "GET /api/2.0/token-management/tokens", authorization: "Bearer " + legacy, status: 403, code: "PERMISSION_DENIED"},
		{name: "unknown token id", request: "GET /api/2.0/token-management/tokens/" + revoked.Info.TokenId, authorization: "Bearer " + w.AdminToken(), status: 404, code: "RESOURCE_DOES_NOT_EXIST"},
		{name: "expired tokens are still found", request: "GET /api/2.0/token-management/tokens/" + idOf(w, expired), authorization: "Bearer " + w.AdminToken(), status: 200},
		{name: "discovery needs no credential", request: "GET /.well-known/databricks-config", status: 200},
		{name: "discovery ignores a bad credential", request: "GET /oidc/.well-known/oauth-authorization-server", authorization: "Bearer bad", status: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.request, " ")
			var header []string
			if tt.authorization != "" {
				header = []string{"Authorization", tt.authorization}
			}
			got := call(t, method, w.URL()+path, "", "", header...)
			if got.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", got.StatusCode, tt.status, got.body)
			}
			id := got.Header.Get("X-Request-Id")
			if len(id) != 36 || got.Header.Get("Server") != "databricks" {
				t.Errorf("common headers missing: %v", got.Header)
			}
			if ct := got.Header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type %q", ct)
			}
			challenge := got.Header.Get("Www-Authenticate")
			if want := tt.status == http.StatusUnauthorized; (challenge == `Bearer realm="DatabricksRealm"`) != want {
				t.Errorf("challenge %q", challenge)
			}
			if reason := got.Header.Get("X-Databricks-Reason-Phrase"); reason != tt.message {
				t.Errorf("reason phrase %q, want %q", reason, tt.message)
			}
			switch {
			case tt.message != "":
				want := refusalBody{float64(tt.status), tt.message + " [ReqId: " + id + "]"}
				if b := got.refusal(t); b != want {
					t.Errorf("body %+v, want %+v", b, want)
				}
			case tt.code != "":
				if b := got.refusal(t); b.ErrorCode != tt.code {
					t.Errorf("code %v, want %s", b.ErrorCode, tt.code)
				}
			}
		})
	}
}

func idOf(w *fakeworkspace.Workspace, value string) string {
	return w.Mint(fakeworkspace.TokenSpec{Value: value, Lifetime: -time.Second}).Info.TokenId
}

func TestRoutingHeaderOfAnotherWorkspace(t *testing.T) {
	w := start(t)
	const path = "/api/2.2/jobs/list"
	if a := call(t, "GET", w.URL()+path, w.AdminToken(), "", "X-Databricks-Org-Id", "3141592653589793"); a.StatusCode != 200 {
		t.Errorf("own id: %d", a.StatusCode)
	}
	if a := call(t, "GET", w.URL()+path, w.AdminToken(), "", "X-Databricks-Workspace-Id", "42"); a.StatusCode != 403 {
		t.Errorf("another id: %d", a.StatusCode)
	}
}

func TestBadBodies(t *testing.T) {
	w := start(t)
	// Only slightly too large: a client that still writes when the server closes the
	// connection may miss the response.
	huge := `{"comment":"` + strings.Repeat("x", 1<<20) + `"}`
	tests := []struct{ name, path, body, code string }{
		{"not JSON", "/api/2.0/token/create", "{", "MALFORMED_REQUEST"},
		{"another type", "/api/2.0/token/create", `{"lifetime_seconds":"soon"}`, "MALFORMED_REQUEST"},
		{"null", "/api/2.2/jobs/create", `null`, ""},
		{"too large", "/api/2.0/token/create", huge, "MAX_REQUEST_SIZE_EXCEEDED"},
		{"absurd lifetime", "/api/2.0/token/create", `{"lifetime_seconds":9000000000000000}`, "INVALID_PARAMETER_VALUE"},
		{"empty scope", "/api/2.0/token/create", `{"scopes":[""]}`, "INVALID_PARAMETER_VALUE"},
		{"unknown token", "/api/2.0/token/delete", `{"token_id":"0"}`, "RESOURCE_DOES_NOT_EXIST"},
		{"wait_timeout out of range", "/api/2.0/sql/statements", `{"statement":"SELECT 1","warehouse_id":"` + fakeworkspace.WarehouseID + `","wait_timeout":"1s"}`, "INVALID_PARAMETER_VALUE"},
		{"unknown warehouse", "/api/2.0/sql/statements", `{"statement":"SELECT 1","warehouse_id":"x"}`, "RESOURCE_DOES_NOT_EXIST"},
		{"unknown principal", "/api/2.0/token-management/on-behalf-of/tokens", `{"application_id":"x"}`, "RESOURCE_DOES_NOT_EXIST"},
		{"broken form", "/api/2.0/workspace/import", "no boundary", "MALFORMED_REQUEST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, "POST", w.URL()+tt.path, w.AdminToken(), tt.body)
			if tt.code == "" {
				if a.StatusCode != 200 {
					t.Errorf("status %d: %s", a.StatusCode, a.body)
				}
				return
			}
			if b := a.refusal(t); b.ErrorCode != tt.code {
				t.Errorf("code %v, want %s", b.ErrorCode, tt.code)
			}
		})
	}
}

func TestUpdateMask(t *testing.T) {
	w := start(t)
	token := w.Mint(fakeworkspace.TokenSpec{Comment: "old", Scopes: []string{"sql"}})
	path := w.URL() + "/api/2.0/token-management/tokens/" + token.Info.TokenId
	tests := []struct {
		name, body string
		status     int
		comment    string
		scopes     []string
	}{
		{"comment only", `{"token":{"comment":"new","scopes":["jobs"]},"update_mask":"comment"}`, 200, "new", []string{"sql"}},
		{"both", `{"token":{"comment":"both","scopes":["jobs"]},"update_mask":"comment,scopes"}`, 200, "both", []string{"jobs"}},
		{"no mask", `{"token":{"comment":"x"}}`, 400, "both", []string{"jobs"}},
		{"read-only field", `{"token":{"owner_id":1},"update_mask":"owner_id"}`, 400, "both", []string{"jobs"}},
		{"to legacy", `{"token":{},"update_mask":"scopes"}`, 200, "both", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := call(t, "PATCH", path, w.AdminToken(), tt.body); a.StatusCode != tt.status {
				t.Fatalf("status %d: %s", a.StatusCode, a.body)
			}
			if info, _ := w.Info(token.Info.TokenId); info.Comment != tt.comment || !slices.Equal(info.Scopes, tt.scopes) {
				t.Errorf("token %+v", info)
			}
		})
	}
}

func TestQuota(t *testing.T) {
	w := start(t)
	token := w.Mint(fakeworkspace.TokenSpec{Owner: "many@example.com"})
	for range 599 {
		w.Mint(fakeworkspace.TokenSpec{Owner: "many@example.com"})
	}
	a := call(t, "POST", w.URL()+"/api/2.0/token/create", token.Value, "{}")
	if b := a.refusal(t); b.ErrorCode != "QUOTA_EXCEEDED" {
		t.Errorf("%+v", b)
	}
}

func TestChangesTakeEffect(t *testing.T) {
	w := start(t, fakeworkspace.WithScopeCheck(needs))
	token := w.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	status := func() int { return call(t, "GET", w.URL()+"/api/2.2/jobs/list", token.Value, "").StatusCode }
	if got := status(); got != 200 {
		t.Fatalf("status %d", got)
	}
	w.SetScopes(token.Info.TokenId, "sql")
	if got := status(); got != 403 {
		t.Errorf("without the scope: %d", got)
	}
	w.SetScopes(token.Info.TokenId, "sql", "jobs")
	w.Update(token.Info.TokenId, func(info *settings.TokenInfo) { info.ExpiryTime = 1 })
	if got := status(); got != 403 {
		t.Errorf("expired: %d", got)
	}
	if w.Revoke("nobody") || !w.Revoke(token.Info.TokenId) {
		t.Error("Revoke reported the wrong result")
	}
}
