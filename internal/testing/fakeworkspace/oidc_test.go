package fakeworkspace_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestDiscovery(t *testing.T) {
	w := start(t)
	var server struct {
		Issuer, JWKSURI string
		Token           string `json:"token_endpoint"`
		Keys            string `json:"jwks_uri"`
	}
	a := call(t, "GET", w.URL()+"/oidc/.well-known/openid-configuration", "", "")
	if err := json.Unmarshal(a.body, &server); err != nil {
		t.Fatal(err)
	}
	if server.Issuer != w.Issuer() || server.Token != w.Issuer()+"/v1/token" {
		t.Errorf("%+v", server)
	}
	key, kid := w.SigningKey()
	var jwks struct {
		Keys []struct{ Kid, N, E, Alg string }
	}
	a = call(t, "GET", server.Keys, "", "")
	if err := json.Unmarshal(a.body, &jwks); err != nil || len(jwks.Keys) != 1 {
		t.Fatalf("%s: %v", a.body, err)
	}
	if k := jwks.Keys[0]; k.Kid != kid || k.N != base64.RawURLEncoding.EncodeToString(key.N.Bytes()) || k.E != "AQAB" {
		t.Errorf("%+v", k)
	}
}

func TestTokenGrant(t *testing.T) {
	w := start(t)
	id, secret := w.AdminClient()
	form := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	tests := []struct {
		name, body, basic string
		status            int
		scope, code       string
	}{
		{"form", form("grant_type", "client_credentials", "client_id", id, "client_secret", secret), "", 200, "all-apis", ""},
		{"basic", form("grant_type", "client_credentials", "scope", "sql jobs"), basic, 200, "sql jobs", ""},
		{"wrong secret", form("grant_type", "client_credentials", "client_id", id, "client_secret", "no"), "", 401, "", "invalid_client"},
		{"unknown client", form("grant_type", "client_credentials", "client_id", "no", "client_secret", secret), "", 401, "", "invalid_client"},
		{"a user is not a client", form("grant_type", "client_credentials", "client_id", "admin@example.com"), "", 401, "", "invalid_client"},
		{"another grant", form("grant_type", "password"), basic, 400, "", "unsupported_grant_type"},
		{"not a form", "%zz", "", 400, "", "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Content-Type", "application/x-www-form-urlencoded"}
			if tt.basic != "" {
				header = append(header, "Authorization", tt.basic)
			}
			a := call(t, "POST", w.Issuer()+"/v1/token", "", tt.body, header...)
			var got struct {
				Token string `json:"access_token"`
				Type  string `json:"token_type"`
				Scope string
				Error string
				Life  int `json:"expires_in"`
			}
			if err := json.Unmarshal(a.body, &got); err != nil {
				t.Fatal(err)
			}
			if a.StatusCode != tt.status || got.Scope != tt.scope || got.Error != tt.code {
				t.Fatalf("%d, scope %q, error %q", a.StatusCode, got.Scope, got.Error)
			}
			if tt.status != 200 {
				return
			}
			if got.Type != "Bearer" || got.Life != 3600 {
				t.Errorf("type %q, life %d", got.Type, got.Life)
			}
			if a := call(t, "GET", w.URL()+tokensPrefix+"/tokens", got.Token, ""); a.StatusCode != 200 {
				t.Errorf("an admin's access token: %d", a.StatusCode)
			}
		})
	}
}

func TestAccessTokens(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	w := start(t, fakeworkspace.WithScopeCheck(needs), fakeworkspace.WithClock(func() time.Time { return now }))
	user := w.AddServicePrincipal("app", false).ApplicationID
	good := w.SignJWT(nil)
	tests := []struct {
		name, token, path string
		status            int
		message           string
	}{
		{"good", good, "/api/2.2/jobs/list", 200, ""},
		{"audience in a list", w.SignJWT(map[string]any{"aud": []string{"x", "3141592653589793"}}), "/api/2.2/jobs/list", 200, ""},
		{"scope held", w.SignJWT(map[string]any{"scope": "offline_access jobs"}), "/api/2.2/jobs/list", 200, ""},
		{"scope missing", w.SignJWT(map[string]any{"scope": "sql"}), "/api/2.2/jobs/list", 403, "Provided OAuth token does not have required scopes: jobs"},
		{"expired", w.SignJWT(map[string]any{"exp": now.Unix()}), "/api/2.2/jobs/list", 401, "Token is expired"},
		{"no expiry", w.SignJWT(map[string]any{"exp": nil}), "/api/2.2/jobs/list", 401, "Token is expired"},
		{"not yet", w.SignJWT(map[string]any{"nbf": now.Unix() + 1}), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"another issuer", w.SignJWT(map[string]any{"iss": "https://evil.example/oidc"}), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"another audience", w.SignJWT(map[string]any{"aud": "42"}), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"no audience", w.SignJWT(map[string]any{"aud": nil}), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"unknown subject", w.SignJWT(map[string]any{"sub": "nobody"}), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"changed", good[:len(good)-4] + "AAAA", "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"unsigned", unsigned(good), "/api/2.2/jobs/list", 403, "Invalid access token."},
		{"not an admin", w.SignJWT(map[string]any{"sub": user}), tokensPrefix + "/tokens", 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, "GET", w.URL()+tt.path, tt.token, "")
			if reason := a.Header.Get("X-Databricks-Reason-Phrase"); a.StatusCode != tt.status || reason != tt.message {
				t.Errorf("%d %q", a.StatusCode, reason)
			}
		})
	}
}

// unsigned replaces a token's header with one that asks for no signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
}

func TestKeyRotation(t *testing.T) {
	w := start(t)
	old := w.SignJWT(nil)
	status := func(token string) int {
		return call(t, "GET", w.URL()+"/api/2.2/jobs/list", token, "").StatusCode
	}
	w.RotateKey(false)
	if got := status(old); got != http.StatusOK {
		t.Errorf("old key kept: %d", got)
	}
	kid := w.RotateKey(true)
	if got := status(old); got != http.StatusForbidden {
		t.Errorf("old key dropped: %d", got)
	}
	if _, current := w.SigningKey(); current != kid || status(w.SignJWT(nil)) != http.StatusOK {
		t.Error("the new key is not in use")
	}
}
