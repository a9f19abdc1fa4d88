package fakeworkspace

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// App is an OAuth app connection of the account.
type App struct {
	ClientID string
	// Secret is empty for a public client.
	Secret string
	// Redirects are the redirect URLs that are registered.
	Redirects []string
}

// apps are the registered apps, and who is signed in at the workspace's own page.
type apps struct {
	mu       sync.Mutex
	all      []App
	signedIn string // empty: the user declines
	page     bool   // ask with a page
}

// AddApp registers an app.
func (w *Workspace) AddApp(app App) {
	w.apps.mu.Lock()
	defer w.apps.mu.Unlock()
	w.apps.all = append(w.apps.all, app)
}

// SignInAs says which user is signed in in every browser. An empty name means that users decline to
// let an app in. Default: the admin.
func (w *Workspace) SignInAs(userName string) {
	w.apps.mu.Lock()
	defer w.apps.mu.Unlock()
	w.apps.signedIn = userName
}

// ShowSignIn makes the workspace show a page with a link before it lets an app in, as for a user who
// is not signed in.
func (w *Workspace) ShowSignIn() {
	w.apps.mu.Lock()
	defer w.apps.mu.Unlock()
	w.apps.page = true
}

// app returns an app by its client id.
func (w *Workspace) app(clientID string) (App, bool) {
	w.apps.mu.Lock()
	defer w.apps.mu.Unlock()
	i := slices.IndexFunc(w.apps.all, func(a App) bool { return a.ClientID == clientID })
	if i < 0 {
		return App{}, false
	}
	return w.apps.all[i], true
}

// user returns who is signed in.
func (w *Workspace) user() string {
	w.apps.mu.Lock()
	defer w.apps.mu.Unlock()
	return w.apps.signedIn
}

// registered reports whether a client may send users back to a URL.
func (w *Workspace) registered(clientID, redirect string) (client, url bool) {
	if slices.Contains(publicClients, clientID) {
		return true, isLoopbackURL(redirect)
	}
	app, found := w.app(clientID)
	return found, slices.Contains(app.Redirects, redirect)
}

func isLoopbackURL(redirect string) bool {
	u, err := url.Parse(redirect)
	return err == nil && isLoopback(u)
}

// proves reports whether a request to the token endpoint has the secret of its app, if it has one.
func (w *Workspace) proves(r *http.Request) bool {
	app, _ := w.app(r.PostForm.Get("client_id"))
	return subtle.ConstantTimeCompare([]byte(app.Secret), []byte(r.PostForm.Get("client_secret"))) == 1
}

// asks shows the sign-in page, and reports whether it did.
func (w *Workspace) asks(rw http.ResponseWriter, r *http.Request) bool {
	w.apps.mu.Lock()
	page := w.apps.page
	w.apps.mu.Unlock()
	q := r.URL.Query()
	if !page || q.Get("agreed") != "" {
		return false
	}
	q.Set("agreed", "yes")
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = rw.Write([]byte(`<!doctype html><title>Sign in to Databricks</title><a id="continue" href="/oidc/v1/authorize?` + q.Encode() + `">Continue</a>`))
	return true
}
