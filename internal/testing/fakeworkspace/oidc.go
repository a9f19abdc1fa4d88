package fakeworkspace

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// accessTokenLife is how long an OAuth access token lives.
const accessTokenLife = time.Hour

func (w *Workspace) registerOIDC() {
	w.on(w.databricksConfig, "GET /.well-known/databricks-config")
	w.on(w.authorizationServer,
		"GET /oidc/.well-known/oauth-authorization-server", "GET /oidc/.well-known/openid-configuration")
	w.on(w.jwks, "GET /oidc/jwks.json", "GET /oidc/jwks")
	w.on(w.authorize, "GET /oidc/v1/authorize")
	w.on(w.grantToken, "POST /oidc/v1/token")
	w.on(func(rw http.ResponseWriter, _ *http.Request) { ok(rw, struct{}{}) },
		"POST /telemetry-unauth", "POST /telemetry-ext")
}

// databricksConfig is the first request of an SDK client, before it has a credential.
func (w *Workspace) databricksConfig(rw http.ResponseWriter, r *http.Request) {
	base := w.base(r)
	ok(rw, map[string]any{
		"oidc_endpoint": base + "/oidc",
		"account_id":    "00000000-0000-4000-8000-000000000001",
		"workspace_id":  strconv.FormatInt(w.workspaceID, 10),
		"cloud":         "AWS",
		"host_type":     "workspace",
		"token_federation_default_oidc_audiences": []string{base + "/oidc/v1/token"},
	})
}

func (w *Workspace) authorizationServer(rw http.ResponseWriter, r *http.Request) {
	issuer := w.base(r) + "/oidc"
	ok(rw, map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                issuer + "/v1/authorize",
		"token_endpoint":                        issuer + "/v1/token",
		"jwks_uri":                              issuer + "/jwks.json",
		"scopes_supported":                      w.scopesSupported,
		"response_types_supported":              []string{"code", "id_token"},
		"grant_types_supported":                 []string{"client_credentials", "authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported":      []string{"S256"},
	})
}

func (w *Workspace) jwks(rw http.ResponseWriter, _ *http.Request) { ok(rw, w.keys.jwks()) }

// grantToken serves the client credentials grant (RFC 6749 section 4.4), and those of a user's log-in.
func (w *Workspace) grantToken(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		oauthError(rw, http.StatusBadRequest, "invalid_request", "The body is not a form.")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		w.grantCode(rw, r)
		return
	case "refresh_token":
		w.grantRefresh(rw, r)
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, basic := r.BasicAuth(); basic {
		// Both halves are form-encoded (RFC 6749 section 2.3.1).
		id, secret = formDecoded(user), formDecoded(password)
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		oauthError(rw, http.StatusBadRequest, "unsupported_grant_type", "Use client_credentials, authorization_code or refresh_token.")
		return
	}
	p, found := w.people.byName(id)
	if !found || !p.isService() || subtle.ConstantTimeCompare([]byte(p.secret), []byte(secret)) != 1 {
		oauthError(rw, http.StatusUnauthorized, "invalid_client", "Client authentication failed")
		return
	}
	scope := strings.Join(strings.Fields(r.PostForm.Get("scope")), " ")
	if scope == "" {
		scope = "all-apis"
	}
	w.grant(rw, r, login{user: p.UserName, client: p.UserName, scope: scope}, "")
}

// grant answers with an access token of a user, and a refresh token unless that is empty.
func (w *Workspace) grant(rw http.ResponseWriter, r *http.Request, l login, refresh string) {
	now := w.now()
	token := w.signJWT(w.base(r), map[string]any{
		"sub": l.user, "client_id": l.client, "scope": l.scope, "jti": newUUID(),
		"iat": now.Unix(), "exp": now.Add(accessTokenLife).Unix(),
	})
	answer := map[string]any{
		"access_token": token, "token_type": "Bearer", "scope": l.scope,
		"expires_in": int(accessTokenLife / time.Second),
	}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	rw.Header().Set("Cache-Control", "no-store")
	ok(rw, answer)
}

func oauthError(rw http.ResponseWriter, status int, code, description string) {
	if status == http.StatusUnauthorized {
		rw.Header().Set("Www-Authenticate", `Basic realm="DatabricksRealm"`)
	}
	writeJSON(rw, status, map[string]string{"error": code, "error_description": description})
}

func formDecoded(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}
