package console_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/actions"
	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

// acting returns a handler that lets people change tokens.
func acting(s console.Source, options console.Options) http.Handler {
	options.Actions = actions.NewDesk(actions.Options{ClientID: "app", Scope: "authentication", Audit: func(*actions.Attempt) {}, Now: time.Now})
	return console.New(s, options)
}

func ask(t *testing.T, handler http.Handler, method, target string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// ownToken are tokens of which the gateway itself signs in with one.
type ownToken struct {
	tokenList
	id tokens.ID
}

func (o ownToken) OwnToken() (tokens.ID, bool) { return o.id, true }

// TestConfirmation: what a confirmation shows, and which tokens have none.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	own := full(t, "text")
	own.workspaces[0].Tokens = ownToken{own.workspaces[0].Tokens.(tokenList), tokenID(t, 1)}
	gone := full(t, "text")
	gone.workspaces[0].Tokens = tokenList{}
	for _, test := range []struct {
		name   string
		source *source
		path   string
		status int
		has    string
	}{
		{"revoke", full(t, "analyst@example.com"), token + "/revoke", 200, "analyst@example.com"},
		{"revoke: calls", many(t, 30), tokenID(t, 25).String() + "/revoke", 200, "These calls passed, and would be refused"},
		{"narrow", many(t, 30), tokenID(t, 25).String() + "/narrow", 200, "Scopes after</dt><dd>jobs<"},
		{"nothing to narrow", full(t, "text"), token + "/narrow", 409, "there is nothing to narrow"},
		{"the gateway's own", own, token + "/revoke", 409, "the gateway itself signs in with this token"},
		{"a token that is not listed", gone, token + "/revoke", 409, "the workspace does not list this token"},
		{"no token", full(t, "text"), "x/revoke", 400, "is not the id of a token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, acting(test.source, console.Options{Loopback: true}), http.MethodGet, "http://localhost:2020/tokens/"+test.path, nil)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.has) || !complete(w.Body.String()) {
				t.Errorf("%d, want %d and %q\n%s", w.Code, test.status, test.has, w.Body)
			}
			checkHeaders(t, w.Header())
		})
	}
}

// TestActionOrigin: where people can be sent back to, and with which cookie. Texts that others choose
// come out as text on each page.
func TestActionOrigin(t *testing.T) {
	t.Parallel()
	w := fakeworkspace.New()
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for _, test := range []struct {
		name, page string
		options    console.Options
		redirect   string // empty: none
		cookie     string
	}{
		{"loopback", "http://localhost:2020", console.Options{Loopback: true}, "http://localhost:2020/actions/callback", "scopegate-action-"},
		{"TLS", "https://console.example.com:9443", console.Options{Hosts: []string{"console.example.com"}}, "https://console.example.com:9443/actions/callback", "__Host-scopegate-action-"},
		{"TLS on loopback", "https://localhost:9443", console.Options{Loopback: true}, "https://localhost:9443/actions/callback", "__Host-scopegate-action-"},
		{"behind a proxy", "http://console.example.com", console.Options{Loopback: true, Hosts: []string{"console.example.com"}}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := full(t, hostile)
			s.workspaces[0].URL = w.URL()
			handler := acting(s, test.options)
			path := test.page + "/tokens/" + token + "/revoke"
			confirmation := ask(t, handler, http.MethodGet, path, nil).Body.String()
			_, rest, _ := strings.Cut(confirmation, `name="plan" value="`)
			plan, _, _ := strings.Cut(rest, `"`)
			answer := ask(t, handler, http.MethodPost, path, url.Values{"plan": {plan}})
			for _, page := range []string{confirmation, answer.Body.String()} {
				for _, never := range []string{"<script>alert", secret, "\u202e", "\x1b", "ZgotmplZ", " style="} {
					if strings.Contains(page, never) {
						t.Errorf("it has %q", never)
					}
				}
			}
			cookies := answer.Result().Cookies()
			if test.redirect == "" {
				if answer.Code != http.StatusConflict || len(cookies) > 0 || !strings.Contains(answer.Body.String(), "a page with TLS of its own") {
					t.Errorf("%d %v\n%s", answer.Code, cookies, answer.Body)
				}
				return
			}
			if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "redirect_uri="+url.QueryEscape(test.redirect)) {
				t.Fatalf("%d\n%s", answer.Code, answer.Body)
			}
			if len(cookies) != 1 || !strings.HasPrefix(cookies[0].Name, test.cookie) || cookies[0].Secure != strings.HasPrefix(test.page, "https:") ||
				!cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" || cookies[0].Domain != "" || cookies[0].MaxAge != 600 {
				t.Errorf("cookies: %+v", cookies)
			}
			checkHeaders(t, answer.Header())
		})
	}
}

// edges is a fleet in which a change comes as far as it says.
type edges struct {
	fleetStatus
	applied int
	untold  fleet.Untold
}

func (e edges) Progress(context.Context, fleet.Generation) fleet.Progress {
	return fleet.Progress{Edges: 2, Applied: e.applied, Stragglers: []string{"edge-b"}[:2-e.applied]}
}
func (e edges) Untold() fleet.Untold { return e.untold }

// told are tokens of which changes get a place in the log of the fleet.
type told struct {
	tokenList
	generation fleet.Generation
}

func (f told) PurgeFleet(context.Context, tokens.ID) (bool, fleet.Generation) {
	return true, f.generation
}

// TestActionFleet: the last page says how far the change has come in the fleet.
func TestActionFleet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		generation fleet.Generation
		edges      edges
		has        string
	}{
		{"all edges", 7, edges{applied: 2}, "Acknowledged by 2 of 2 edges."},
		{"not all of them", 7, edges{applied: 1}, "Acknowledged by 1 of 2 edges. Not yet: edge-b."},
		{"others could not be told", 0, edges{untold: fleet.StoreDown}, "Others could not be told yet (store_down)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := fakeworkspace.New()
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Close)
			const page = "https://localhost:9443"
			w.AddApp(fakeworkspace.App{ClientID: "app", Redirects: []string{page + "/actions/callback"}})
			minted := w.Mint(fakeworkspace.TokenSpec{Owner: "someone@example.com", Scopes: []string{"sql"}}).Info
			id, err := tokens.ParseID(minted.TokenId)
			if err != nil {
				t.Fatal(err)
			}
			s := full(t, "text")
			s.workspaces[0].URL, s.workspaces[0].Fleet = w.URL(), test.edges
			info := &tokens.Info{ID: id, Owner: tokens.NewPrincipal(minted.OwnerId, "someone"), Scopes: minted.Scopes}
			s.workspaces[0].Tokens = told{tokenList{infos: []*tokens.Info{info}}, test.generation}
			handler := acting(s, console.Options{Loopback: true})
			done := carryOut(t, handler, page, minted.TokenId)
			if done.Code != http.StatusOK || !strings.Contains(done.Body.String(), test.has) || !strings.Contains(done.Body.String(), "The token is revoked.") {
				t.Errorf("%d, and it should have %q\n%s", done.Code, test.has, done.Body)
			}
		})
	}
}

// carryOut revokes a token over TLS.
func carryOut(t *testing.T, handler http.Handler, page, id string) *httptest.ResponseRecorder {
	t.Helper()
	path := page + "/tokens/" + id + "/revoke"
	_, rest, _ := strings.Cut(ask(t, handler, http.MethodGet, path, nil).Body.String(), `name="plan" value="`)
	plan, _, _ := strings.Cut(rest, `"`)
	started := ask(t, handler, http.MethodPost, path, url.Values{"plan": {plan}})
	_, rest, _ = strings.Cut(started.Body.String(), `class="button" href="`)
	link, _, _ := strings.Cut(rest, `"`)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(strings.ReplaceAll(link, "&amp;", "&"))
	if err != nil {
		t.Fatalf("%v\n%s", err, started.Body)
	}
	defer answer.Body.Close()
	r := httptest.NewRequest(http.MethodGet, answer.Header.Get("Location"), nil)
	for _, cookie := range started.Result().Cookies() {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}
