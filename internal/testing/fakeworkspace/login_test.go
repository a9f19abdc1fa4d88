package fakeworkspace_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

const (
	verifier    = "a-verifier-of-the-length-that-the-standard-asks-for"
	redirectURI = "http://localhost:8020"
)

// logIn opens the authorization endpoint, with some parameters changed, and returns where
// it redirects to.
func logIn(t *testing.T, w *fakeworkspace.Workspace, change ...string) (status int, to *url.URL) {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {"databricks-cli"}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "state": {"s"},
		"scope": {"offline_access all-apis"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(w.Issuer() + "/v1/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	to, _ = answer.Location()
	return answer.StatusCode, to
}

// exchange sends a form to the token endpoint.
func exchange(t *testing.T, w *fakeworkspace.Workspace, form url.Values) (status int, access, refresh, failure string) {
	t.Helper()
	a := call(t, "POST", w.Issuer()+"/v1/token", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, got.Access, got.Refresh, got.Error
}

func TestLogIn(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	w := start(t, fakeworkspace.WithClock(func() time.Time { return now }))
	code := func() string {
		_, to := logIn(t, w)
		if to == nil || to.Query().Get("state") != "s" || to.Query().Get("iss") != w.Issuer() || !strings.HasPrefix(to.String(), redirectURI) {
			t.Fatalf("redirected to %v", to)
		}
		return to.Query().Get("code")
	}
	form := func(code string, change ...string) url.Values {
		f := url.Values{"grant_type": {"authorization_code"}, "client_id": {"databricks-cli"}, "redirect_uri": {redirectURI}, "code": {code}, "code_verifier": {verifier}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	once := code()
	_, access, refresh, _ := exchange(t, w, form(once))
	if a := call(t, "GET", w.URL()+"/api/2.0/preview/scim/v2/Me", access, ""); a.StatusCode != 200 || !strings.Contains(string(a.body), "admin@example.com") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	for name, f := range map[string]url.Values{
		"a code twice":     form(once),
		"no code":          form(""),
		"another verifier": form(code(), "code_verifier", verifier+"x"),
		"no verifier":      form(code(), "code_verifier", ""),
		"another client":   form(code(), "client_id", "databricks-sql-connector"),
		"another redirect": form(code(), "redirect_uri", redirectURI+"/x"),
	} {
		if status, _, _, failure := exchange(t, w, f); status != 400 || failure != "invalid_grant" {
			t.Errorf("%s: %d %s", name, status, failure)
		}
	}
	late := code()
	now = now.Add(time.Minute)
	if status, _, _, failure := exchange(t, w, form(late)); status != 400 || failure != "invalid_grant" {
		t.Errorf("a late code: %d %s", status, failure)
	}

	renew := func(token, client string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}}
	}
	status, _, second, _ := exchange(t, w, renew(refresh, "databricks-cli"))
	if status != 200 || second == refresh || second == "" {
		t.Fatalf("renewed: %d", status)
	}
	for name, f := range map[string]url.Values{
		"a refresh token twice": renew(refresh, "databricks-cli"),
		"another client":        renew(second, "databricks-sql-connector"),
		"none":                  renew("", "databricks-cli"),
	} {
		if status, _, _, failure := exchange(t, w, f); status != 400 || failure != "invalid_grant" {
			t.Errorf("%s: %d %s", name, status, failure)
		}
	}
	if _, to := logIn(t, w, "scope", "all-apis"); to == nil {
		t.Error("no redirect")
	} else if _, _, refresh, _ := exchange(t, w, form(to.Query().Get("code"))); refresh != "" {
		t.Error("a refresh token without offline_access")
	}
}

func TestLogInRefused(t *testing.T) {
	w := start(t)
	for _, tt := range []struct{ name, parameter, value, failure string }{
		{"no PKCE", "code_challenge", "", "invalid_request"},
		{"plain PKCE", "code_challenge_method", "plain", "invalid_request"},
		{"a token", "response_type", "token", "unsupported_response_type"},
		{"unknown client", "client_id", "evil", ""},
		{"redirect to a server", "redirect_uri", "https://evil.example/", ""},
		{"redirect to a program of a server", "redirect_uri", "http://evil.example:8020/", ""},
		{"no redirect", "redirect_uri", "", ""},
	} {
		status, to := logIn(t, w, tt.parameter, tt.value)
		if tt.failure == "" && (status != 400 || to != nil) {
			t.Errorf("%s: %d, redirected to %v", tt.name, status, to)
		}
		if tt.failure != "" && (to == nil || to.Query().Get("error") != tt.failure || to.Query().Get("code") != "") {
			t.Errorf("%s: %d, redirected to %v", tt.name, status, to)
		}
	}
}

// TestAddress: a workspace may call itself by another name than that of its socket.
func TestAddress(t *testing.T) {
	w := start(t, fakeworkspace.WithAddress("https://ws.example.test"))
	a := call(t, "GET", w.URL()+"/.well-known/databricks-config", "", "")
	if !strings.Contains(string(a.body), `"oidc_endpoint":"https://ws.example.test/oidc"`) || w.Issuer() != "https://ws.example.test/oidc" {
		t.Errorf("%s, issuer %s", a.body, w.Issuer())
	}
	if a := call(t, "GET", w.URL()+"/api/2.2/jobs/list", w.SignJWT(nil), ""); a.StatusCode != 200 {
		t.Errorf("its own token: %d", a.StatusCode)
	}
}
