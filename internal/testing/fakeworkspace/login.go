package fakeworkspace

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// codeLife is how long an authorization code lives.
const codeLife = time.Minute

// maxLogins bounds the codes and the refresh tokens that the workspace remembers.
const maxLogins = 1000

// publicClients may log users in without a secret: those that Databricks' own tools use.
var publicClients = []string{"databricks-cli", "databricks-sql-connector", "databricks-sql-python", "databricks-sql-jdbc"}

// login is what a user has agreed to.
type login struct {
	user, client, scope string
	// Of a code only.
	redirect, challenge string
	expires             time.Time
}

// logins are the authorization codes and refresh tokens, each good for one use.
type logins struct {
	mu             sync.Mutex
	codes, refresh map[string]login
}

func newLogins() *logins {
	return &logins{codes: make(map[string]login), refresh: make(map[string]login)}
}

// keep stores a login under a new secret, in the place of another if there are too many.
func (l *logins) keep(in map[string]login, what login) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for old := range in {
		if len(in) < maxLogins {
			break
		}
		delete(in, old)
	}
	secret := randomHex(24)
	in[secret] = what
	return secret
}

// take returns a login and forgets it.
func (l *logins) take(from map[string]login, secret string) (login, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := from[secret]
	delete(from, secret)
	return found, ok
}

// authorize serves the authorization endpoint (RFC 6749 section 4.1.1, RFC 7636). The user, who is the
// admin by default, is signed in already and agrees; see [Workspace.SignInAs] and
// [Workspace.ShowSignIn].
func (w *Workspace) authorize(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	client, registered := w.registered(q.Get("client_id"), q.Get("redirect_uri"))
	user := w.user()
	switch {
	case !client:
		oauthError(rw, http.StatusBadRequest, "invalid_client", "Unknown client.")
		return
	case err != nil || !registered:
		// Never redirect to where the client was not registered.
		oauthError(rw, http.StatusBadRequest, "invalid_request", "redirect_uri is not registered for this client.")
		return
	case w.asks(rw, r):
		return
	}
	answer := redirect.Query()
	answer.Set("state", q.Get("state"))
	answer.Set("iss", w.base(r)+"/oidc") // RFC 9207
	switch {
	case user == "":
		answer.Set("error", "access_denied")
	case q.Get("response_type") != "code":
		answer.Set("error", "unsupported_response_type")
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		answer.Set("error", "invalid_request")
		answer.Set("error_description", "PKCE with S256 is required.")
	default:
		answer.Set("code", w.logins.keep(w.logins.codes, login{
			user: user, client: q.Get("client_id"), scope: q.Get("scope"),
			redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), expires: w.now().Add(codeLife),
		}))
	}
	redirect.RawQuery = answer.Encode()
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("Location", redirect.String())
	rw.WriteHeader(http.StatusFound)
}

// isLoopback reports whether a URL is that of a program on the user's own machine (RFC 8252 section 7.3).
func isLoopback(u *url.URL) bool {
	address := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && u.Fragment == "" && (u.Hostname() == "localhost" || address != nil && address.IsLoopback())
}

// grantCode exchanges an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
func (w *Workspace) grantCode(rw http.ResponseWriter, r *http.Request) {
	found, ok := w.logins.take(w.logins.codes, r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !ok || !w.proves(r) || !w.now().Before(found.expires) || found.client != r.PostForm.Get("client_id") ||
		found.redirect != r.PostForm.Get("redirect_uri") ||
		subtle.ConstantTimeCompare([]byte(b64(sum[:])), []byte(found.challenge)) != 1 {
		oauthError(rw, http.StatusBadRequest, "invalid_grant", "The authorization code is not valid.")
		return
	}
	w.grant(rw, r, found, w.refreshToken(found))
}

// refreshToken returns a refresh token if the user agreed to offline access.
func (w *Workspace) refreshToken(l login) string {
	if !slices.Contains(strings.Fields(l.scope), "offline_access") {
		return ""
	}
	return w.logins.keep(w.logins.refresh, l)
}

// grantRefresh exchanges a refresh token for an access token and another refresh token (RFC 6749
// section 6).
func (w *Workspace) grantRefresh(rw http.ResponseWriter, r *http.Request) {
	found, ok := w.logins.take(w.logins.refresh, r.PostForm.Get("refresh_token"))
	if !ok || found.client != r.PostForm.Get("client_id") {
		oauthError(rw, http.StatusBadRequest, "invalid_grant", "The refresh token is not valid.")
		return
	}
	w.grant(rw, r, found, w.refreshToken(found))
}
