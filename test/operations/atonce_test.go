package operations

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// lenient is a workspace that understands any spelling of a change: what a test says is
// done when a request that changes something arrives, whatever it looks like. It answers
// whoever asks for jobs, so that every refusal is the gateway's.
type lenient struct {
	*fakeworkspace.Workspace
	url string
	// change answers requests that change something. lookup is called for look-ups of
	// tokens, and reports whether it answered. Both may be nil.
	change atomic.Pointer[http.HandlerFunc]
	lookup atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func startLenient(t *testing.T) *lenient {
	t.Helper()
	l := &lenient{Workspace: harness.StartWorkspace(t)}
	target, err := url.Parse(l.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.ToLower(r.URL.Path)
		if change := l.change.Load(); change != nil && r.Method != http.MethodGet && !strings.HasPrefix(path, "/oidc/") {
			(*change)(w, r)
			return
		}
		if r.URL.Path == harness.JobsList {
			_, _ = io.WriteString(w, "{}")
			return
		}
		if lookup := l.lookup.Load(); lookup != nil && strings.HasPrefix(path, "/api/2.0/token-management/tokens/") && (*lookup)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func (l *lenient) onChange(do http.HandlerFunc)                              { l.change.Store(&do) }
func (l *lenient) onLookup(do func(http.ResponseWriter, *http.Request) bool) { l.lookup.Store(&do) }

// countLookups counts the look-ups of a token from now on.
func (l *lenient) countLookups(id string) *atomic.Int32 {
	var looks atomic.Int32
	l.onLookup(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, id) {
			looks.Add(1)
		}
		return false
	})
	return &looks
}

// site is the gateway in front of it.
func (l *lenient) site(options string) string {
	return fmt.Sprintf("databricks_gateway %s {\n%slookup {\nrate 1000\nconcurrency 100\n%s\n}\n}", l.url, harness.AdminBlock, options)
}

// use sends a request with a token, and returns the status.
func use(t *testing.T, g *harness.Gateway, token string) int {
	t.Helper()
	return g.Send(t, "GET", harness.JobsList, harness.Bearer(token)).StatusCode
}

// TestChangesTakeEffectAtOnce: the next request after a change that passed through the
// gateway is judged by what is true then, however the change was spelled.
func TestChangesTakeEffectAtOnce(t *testing.T) {
	workspace := startLenient(t)
	g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
	admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
	const manage = "/api/2.0/token-management/tokens/"
	blanks := strings.Repeat(" ", 5<<10)
	for _, test := range []struct{ name, method, path, body string }{
		{"plain", "DELETE", manage + "ID", ""},
		{"a slash at the end", "DELETE", manage + "ID/", ""},
		{"a space at the end", "DELETE", manage + "ID%20", ""},
		{"a parameter", "DELETE", manage + "ID;x", ""},
		{"upper case", "DELETE", manage + "UPPER", ""},
		{"percent-encoded", "DELETE", manage + "ENCODED", ""},
		{"an unmapped version", "DELETE", "/api/9.9/token-management/tokens/ID", ""},
		{"the web application's path", "DELETE", "/ajax-api/2.0/token-management/tokens/ID", ""},
		{"without a version", "DELETE", "/api/token-management/tokens/ID", ""},
		{"an id that does not show", "DELETE", manage + "x", ""},
		{"body", "POST", "/api/2.0/token/delete", `{"token_id":"ID"}`},
		{"body, slash at the end", "POST", "/api/2.0/token/delete/", `{"token_id":"ID"}`},
		{"body after blanks", "POST", "/api/2.0/token/delete", blanks + `{"token_id":"ID"}`},
		{"body after very many blanks", "POST", "/api/2.0/token/delete", strings.Repeat(blanks, 100) + `{"token_id":"ID"}`},
		{"body with the name twice", "POST", "/api/2.0/token/delete", `{"token_id":"OTHER","token_id":"ID"}`},
		{"body in another form", "POST", "/api/2.0/token/delete", `token_id=ID`},
		{"body by the web application's path", "POST", "/ajax-api/2.0/token/delete", `{"token_id":"ID"}`},
		{"who may use tokens", "PATCH", "/api/2.0/permissions/authorization/tokens", `{}`},
		{"who may use tokens, replaced", "PUT", "/api/2.0/permissions/authorization/tokens", `{}`},
		{"tokens turned off", "PATCH", "/api/2.0/workspace-conf", `{"enableTokensConfig":"false"}`},
		{"its owner deleted", "DELETE", "/api/2.0/preview/scim/v2/Users/OWNER", ""},
		{"its owner deleted by another path", "DELETE", "/api/2.0/scim/v2/Users/OWNER", ""},
		{"its owner deactivated", "PATCH", "/api/2.0/preview/scim/v2/Users/OWNER", `{}`},
		{"a service principal replaced", "PUT", "/api/2.0/preview/scim/v2/ServicePrincipals/OWNER", `{}`},
		{"a group deleted", "DELETE", "/api/2.0/preview/scim/v2/Groups/7", ""},
		{"many resources", "POST", "/api/2.0/scim/v2/Bulk", `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			victim := workspace.Mint(fakeworkspace.TokenSpec{Owner: "victim@example.com", Scopes: []string{"jobs"}})
			for range 2 { // so that it is known
				if got := use(t, g, victim.Value); got != 200 {
					t.Fatalf("before the change: %d", got)
				}
			}
			id := victim.Info.TokenId
			workspace.onChange(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				workspace.Revoke(id)
				_, _ = io.WriteString(w, "{}")
			})
			fill := strings.NewReplacer("ID", id, "UPPER", strings.ToUpper(id), "OTHER", strings.Repeat("0", 64),
				"ENCODED", fmt.Sprintf("%%%02x", id[0])+id[1:], "OWNER", strconv.FormatInt(victim.Info.OwnerId, 10)).Replace
			r := harness.NewRequest(t, test.method, g.URL+fill(test.path), admin, strings.NewReader(fill(test.body)), "Content-Type", "application/json")
			if got := harness.Do(t, harness.Client(t), r); got.StatusCode != 200 {
				t.Fatalf("the change: %d %s", got.StatusCode, got.Body)
			}
			if got := use(t, g, victim.Value); got == 200 {
				t.Error("the token passes after it was revoked")
			}
			if got := use(t, g, admin); got != 200 {
				t.Errorf("another token: %d", got)
			}
		})
	}
}

// TestRefusedChangesForgetNothing: a change that the workspace refuses costs no look-up.
func TestRefusedChangesForgetNothing(t *testing.T) {
	workspace := startLenient(t)
	g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
	admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
	if got := use(t, g, admin); got != 200 {
		t.Fatal(got)
	}
	workspace.onChange(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	lookups := workspace.countLookups("")
	for _, path := range []string{"/api/2.0/token-management/tokens/x", "/api/2.0/preview/scim/v2/Groups/7"} {
		g.Send(t, "DELETE", path, harness.Bearer(admin))
	}
	if got := use(t, g, admin); got != 200 || lookups.Load() != 0 {
		t.Errorf("status %d, %d look-ups", got, lookups.Load())
	}
}

// TestLostAnswers: a change whose answer never arrives may have been made.
func TestLostAnswers(t *testing.T) {
	var over chan struct{} // the test is
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		leave  bool
	}{
		{"the workspace fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, false},
		{"the connection breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		{"the answer is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			panic(http.ErrAbortHandler)
		}, false},
		{"the client leaves", func(http.ResponseWriter, *http.Request) { <-over }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := startLenient(t)
			g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
			admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
			victim := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
			if got := use(t, g, victim.Value); got != 200 {
				t.Fatal(got)
			}
			over = make(chan struct{})
			defer close(over)
			revoked := make(chan struct{})
			workspace.onChange(func(w http.ResponseWriter, r *http.Request) {
				workspace.Revoke(victim.Info.TokenId)
				close(revoked)
				test.answer(w, r)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := harness.NewRequest(t, "DELETE", g.URL+"/api/2.0/token-management/tokens/"+victim.Info.TokenId+"/", admin, nil).WithContext(ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if response, err := harness.Client(t).Do(r); err == nil {
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
			}()
			<-revoked
			if test.leave {
				cancel()
			}
			<-done
			if !test.leave && use(t, g, victim.Value) == 200 {
				t.Error("the token passes after it was revoked")
			}
			// The gateway may notice later than the client that the client has left.
			harness.WaitFor(t, "the token to be refused", func() bool { return use(t, g, victim.Value) != 200 })
		})
	}
}

// TestChangeDuringLookup: a request that waits for a look-up while its token is revoked
// or narrowed is judged by what is true afterwards.
func TestChangeDuringLookup(t *testing.T) {
	for _, test := range []struct {
		name   string
		path   string // of the change
		change func(w *lenient, id string)
		want   int
	}{
		{"not changed", "/api/2.2/jobs/delete", func(*lenient, string) {}, 200},
		{"revoked", "/api/2.0/token-management/tokens/ID", func(w *lenient, id string) { w.Revoke(id) }, 403},
		{"revoked in another spelling", "/api/2.0/token-management/tokens/ID;x", func(w *lenient, id string) { w.Revoke(id) }, 403},
		{"its owner deleted", "/api/2.0/preview/scim/v2/Users/OWNER", func(w *lenient, id string) { w.Revoke(id) }, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := startLenient(t)
			g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
			admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
			if got := use(t, g, admin); got != 200 {
				t.Fatal(got)
			}
			victim := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
			id := victim.Info.TokenId
			asked, answer := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(answer) })
			defer release() // also when the test fails
			var looks atomic.Int32
			workspace.onLookup(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, id) || looks.Add(1) > 1 {
					return false
				}
				// The answer from before the change, on a slow way.
				recorder := httptest.NewRecorder()
				inner, _ := url.Parse(workspace.URL())
				httputil.NewSingleHostReverseProxy(inner).ServeHTTP(recorder, r.Clone(r.Context()))
				close(asked)
				<-answer
				maps.Copy(w.Header(), recorder.Header())
				w.WriteHeader(recorder.Code)
				_, _ = w.Write(recorder.Body.Bytes())
				return true
			})
			workspace.onChange(func(w http.ResponseWriter, _ *http.Request) {
				test.change(workspace, id)
				_, _ = io.WriteString(w, "{}")
			})
			waiting := make(chan int, 1)
			go func() { waiting <- use(t, g, victim.Value) }()
			<-asked
			path := strings.NewReplacer("ID", id, "OWNER", strconv.FormatInt(victim.Info.OwnerId, 10)).Replace(test.path)
			if got := g.Send(t, "DELETE", path, harness.Bearer(admin)); got.StatusCode != 200 {
				t.Fatalf("the change: %d %s", got.StatusCode, got.Body)
			}
			release()
			if got := <-waiting; got != test.want {
				t.Errorf("the request that waited: %d, want %d", got, test.want)
			}
			if got := use(t, g, victim.Value); got != test.want {
				t.Errorf("the next request: %d, want %d", got, test.want)
			}
		})
	}
}

// TestChangeAcrossReload: a change that passes through a configuration that is being
// replaced takes effect in the new one, which has a token service of its own.
func TestChangeAcrossReload(t *testing.T) {
	workspace := startLenient(t)
	g := harness.StartSite(t, workspace.Workspace, workspace.site("timeout 5s"))
	admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
	victim := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	looks := workspace.countLookups(victim.Info.TokenId)
	if got := use(t, g, victim.Value); got != 200 {
		t.Fatal(got)
	}
	arrived, answer := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	defer release() // also when the test fails
	workspace.onChange(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-answer
		workspace.Revoke(victim.Info.TokenId)
		_, _ = io.WriteString(w, "{}")
	})
	changed := make(chan int, 1)
	go func() {
		changed <- g.Send(t, "DELETE", "/api/2.0/token-management/tokens/"+victim.Info.TokenId, harness.Bearer(admin)).StatusCode
	}()
	<-arrived
	g.Load(t, workspace.site("timeout 4s"))
	harness.WaitFor(t, "the new configuration to know the token too", func() bool {
		if got := g.SendAfterReload(t, "GET", harness.JobsList, harness.Bearer(victim.Value), 200); got.StatusCode != 200 {
			t.Fatalf("before the change: %d %s", got.StatusCode, got.Body)
		}
		return looks.Load() == 2
	})
	release()
	if got := <-changed; got != 200 {
		t.Fatalf("the change: %d", got)
	}
	if got := use(t, g, victim.Value); got != 403 {
		t.Errorf("after the token was revoked: %d", got)
	}
}
