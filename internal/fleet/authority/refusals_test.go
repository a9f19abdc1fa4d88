package authority

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// newLogged returns a server whose warnings can be looked at.
func newLogged(t *testing.T, changes ...func(*Options)) (*fixture, *observer.ObservedLogs) {
	core, lines := observer.New(zap.WarnLevel)
	logger := zap.New(core)
	return newServer(t, append(changes, func(o *Options) { o.Logger = func() *zap.Logger { return logger } })...), lines
}

// withCertificate makes a request come with a client certificate.
func withCertificate(state tls.ConnectionState) func(*http.Request) {
	return func(r *http.Request) { r.TLS = &state }
}

// TestRefusalsLogged: the operator can see who is refused, and why.
func TestRefusalsLogged(t *testing.T) {
	t.Parallel()
	leaf, err := x509.ParseCertificate(newCA(t).issue(t, "edge-9", []string{"localhost"}, nil).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	leaf.NotBefore, leaf.NotAfter = newClock().now().Add(-time.Hour), newClock().now().Add(time.Hour)
	verified := tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
	certificates := func(o *Options) { o.Access = Access{Certificates: &Certificates{Names: []string{"edge-1"}}} }
	both := func(o *Options) { o.Access.Certificates = &Certificates{} }
	without := func(r *http.Request) { r.Header.Del("Authorization") }
	another := setHeader("Authorization", "Bearer another-secret-0123456789abcdef0")
	for _, test := range []struct {
		name   string
		option func(*Options)
		change func(*http.Request)
		reason string // none for no line
		detail string
		fields map[string]any
	}{
		{"let in", nil, nil, "", "", nil},
		{"malformed", nil, func(r *http.Request) { r.Header.Del(wire.WorkspaceHeader) }, "", "", nil},
		{"no credential", nil, without, "unauthorized", "the credential is missing", nil},
		{"another credential", nil, another, "unauthorized", "the credential is missing", map[string]any{"edge": "edge-1"}},
		{"no certificate", certificates, without, "unauthorized", "needs tls { client_auth { … } }", nil},
		{"a token instead", certificates, another, "unauthorized", "needs tls { client_auth { … } }", nil},
		{"neither", both, without, "unauthorized", "needs tls { client_auth { … } }", nil},
		{"another token", both, another, "unauthorized", "the credential is missing", nil},
		{"another certificate", certificates, withCertificate(verified), "forbidden", "not let in", map[string]any{"certificate": "localhost edge-9"}},
		{"in the clear", nil, func(r *http.Request) { r.URL.Scheme = "http" }, "insecure", "use https", nil},
		{"another workspace", nil, setHeader(wire.WorkspaceHeader, "https://u:hush@two.example.com/x"), "workspace", "is for https://two.example.com; this authority serves " + workspace, nil},
		{"no workspace", nil, setHeader(wire.WorkspaceHeader, "two"), "workspace", "is for no URL;", nil},
		{"strange name", nil, func(r *http.Request) { without(r); named("a\u202eb" + strings.Repeat("x", 500))(r) }, "unauthorized", "", map[string]any{"edge": `a\u{202e}b`}},
		{"a secret as name", nil, func(r *http.Request) { another(r); named("my another-secret-0123456789abcdef0")(r) }, "unauthorized", "", map[string]any{"edge": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change := func(o *Options) {
				if test.option != nil {
					test.option(o)
				}
			}
			f, lines := newLogged(t, change)
			request := edgeRequest("GET", "https://authority.example.com"+tokenPath(f.know("a", 3)), nil)
			if test.change != nil {
				test.change(request)
			}
			f.record(request)
			if test.reason == "" {
				if lines.Len() > 0 {
					t.Errorf("%v", lines.All())
				}
				return
			}
			if lines.Len() != 1 {
				t.Fatalf("%d lines, want 1", lines.Len())
			}
			got := lines.All()[0].ContextMap()
			if got["reason"] != test.reason || !strings.Contains(got["detail"].(string), test.detail) || got["remote"] != "192.0.2.1:1234" || got["refused"] != int64(1) {
				t.Errorf("%v", got)
			}
			for key, want := range test.fields {
				if text, _ := got[key].(string); !strings.HasPrefix(text, want.(string)) || want == "" && text != "" || len(text) > maxName+8 {
					t.Errorf("%s %q, want %q", key, got[key], want)
				}
			}
			for key, value := range got {
				if text, _ := value.(string); strings.Contains(text, "secret") || strings.Contains(text, "hush") || strings.Contains(text, sharedToken) {
					t.Errorf("%s tells %q", key, text)
				}
			}
		})
	}
}

// TestRefusalsLoggedSeldom: who is refused often does not fill the log, and hides no other reason.
func TestRefusalsLoggedSeldom(t *testing.T) {
	t.Parallel()
	f, lines := newLogged(t, func(o *Options) { o.Limits.Rate = 1 })
	refused := func(n int, change func(*http.Request)) {
		for range n {
			request := edgeRequest("GET", "https://authority.example.com"+wire.Prefix+"x", nil)
			change(request)
			f.record(request)
		}
	}
	expect := func(what, reason string, n int64) {
		t.Helper()
		all := lines.TakeAll()
		if n == 0 && len(all) == 0 {
			return
		}
		if len(all) != 1 || all[0].ContextMap()["reason"] != reason || all[0].ContextMap()["refused"] != n {
			t.Errorf("%s: %v, want %d of %s", what, all, n, reason)
		}
	}
	without := func(r *http.Request) { r.Header.Del("Authorization") }
	refused(1, without)
	expect("the first", "unauthorized", 1)
	f.clock.pass(refusalPause - time.Second)
	refused(5, without)
	expect("within a minute", "", 0)
	refused(3, func(*http.Request) {}) // no route, no route, too many
	expect("another reason", "rate", 1)
	f.clock.pass(time.Second)
	refused(1, without)
	expect("after a minute", "unauthorized", 6)
	refused(1, without)
	expect("and again", "", 0)
}

// TestSubscribersLogged: edges that find no place are told of, although the code of their answer
// can mean something else.
func TestSubscribersLogged(t *testing.T) {
	t.Parallel()
	f, lines := newLogged(t, func(o *Options) { o.Limits.Edges = 1 })
	f.serve(nil, true)
	f.subscribe(f.http.Client(), "").expect(hello("epoch-1", 0), reset("epoch-1", 0))
	f.expect(f.ask("GET", wire.Prefix+"changes", nil, named("edge-2")), http.StatusServiceUnavailable, wire.UnavailableCode)
	f.server.Close()
	f.expect(f.ask("GET", wire.Prefix+"changes", nil, named("edge-3")), http.StatusServiceUnavailable, wire.UnavailableCode)
	if all := lines.All(); len(all) != 1 || all[0].ContextMap()["reason"] != "subscribers" || all[0].ContextMap()["edge"] != "edge-2" {
		t.Errorf("%v", all)
	}
}
