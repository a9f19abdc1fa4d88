package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestSeveralAuthorities: in one site, each handler answers the edges of its workspace, and the
// first one refuses those of none.
func TestSeveralAuthorities(t *testing.T) {
	t.Parallel()
	app := &App{answers: map[string]bool{"https://one.example.com": true, "https://two.example.com": true}}
	authority := func(workspace string) *Authority {
		return &Authority{app: app, named: workspace, server: func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, workspace) })
		}}
	}
	first, second := authority("https://one.example.com"), authority("https://two.example.com")
	nothing := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		caddyhttp.SetVar(r.Context(), "unhandled", true) // as Caddy does
		return nil
	})
	fails := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return caddyhttp.Error(http.StatusBadGateway, nil)
	})
	behind := func(last caddyhttp.Handler) caddyhttp.Handler {
		return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return second.ServeHTTP(w, r, last) })
	}
	for _, test := range []struct {
		name   string
		header []string
		next   caddyhttp.Handler
		want   string // whose answer it is
		fails  bool
	}{
		{"the first", []string{"https://ONE.example.com:443/"}, behind(nothing), "https://one.example.com", false},
		{"the second", []string{"https://two.example.com"}, behind(nothing), "https://two.example.com", false},
		{"neither", []string{"https://three.example.com"}, behind(nothing), "https://one.example.com", false},
		{"only one", []string{"https://two.example.com"}, nothing, "https://one.example.com", false},
		{"no URL", []string{"two"}, behind(nothing), "https://one.example.com", false},
		{"no header", nil, behind(nothing), "https://one.example.com", false},
		{"empty header", []string{""}, behind(nothing), "https://one.example.com", false},
		{"two headers", []string{"https://two.example.com", "https://two.example.com"}, behind(nothing), "https://one.example.com", false},
		{"an error", []string{"https://two.example.com"}, fails, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wire.Prefix+"changes", nil)
			if test.header != nil {
				request.Header[http.CanonicalHeaderKey(wire.WorkspaceHeader)] = test.header
			}
			request = caddyhttp.PrepareRequest(request, caddy.NewReplacer(), answer, nil)
			err := first.ServeHTTP(answer, request, test.next)
			if got := answer.Body.String(); got != test.want || (err != nil) != test.fails {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
			if unhandled, _ := caddyhttp.GetVar(request.Context(), "unhandled").(bool); unhandled {
				t.Error("it counts as unhandled")
			}
		})
	}
}
