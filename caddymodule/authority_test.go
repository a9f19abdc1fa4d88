package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

func TestEdgeTokens(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	good, short := write("good", strings.Repeat("h", 32)+"\n"), write("short", "hush0123")
	for _, test := range []struct {
		name string
		a    *Authority
		err  string
	}{
		{"none", nil, ""},
		{"good", &Authority{Tokens: []string{good}}, ""},
		{"short", &Authority{Tokens: []string{good, short}}, "has 8 characters, and needs 32; make one with openssl rand -hex 32"},
		{"missing", &Authority{Tokens: []string{"{file." + folder + "/none}"}}, "databricks_authority token: {file."},
		{"no trust", &Authority{Kubernetes: &EdgeServiceAccounts{Trust: folder + "/none"}}, "kubernetes: open "},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.a.check()
			if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hush0123")) {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
}

func TestEdgeLimits(t *testing.T) {
	t.Parallel()
	if got := (*EdgeLimits)(nil).withDefaults(); got != (EdgeLimits{50, 5, 10_000}) {
		t.Errorf("%+v", got)
	}
	if got := (&EdgeLimits{Unknown: 1}).withDefaults(); got != (EdgeLimits{50, 1, 10_000}) {
		t.Errorf("%+v", got)
	}
}

// TestAuthorityPaths: what is not an edge's request is the next handler's.
func TestAuthorityPaths(t *testing.T) {
	t.Parallel()
	edges := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "edge") })
	a := &Authority{server: func() http.Handler { return edges }}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "next")
		return err
	})
	for path, want := range map[string]string{
		wire.Prefix + "changes":        "edge",
		wire.Prefix:                    "edge",
		"/databricks_authority/v2/":    "next",
		"/databricks_authority/v1":     "next",
		"/x" + wire.Prefix + "changes": "next",
		"/readyz":                      "next",
	} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		request = caddyhttp.PrepareRequest(request, caddy.NewReplacer(), answer, nil)
		if err := a.ServeHTTP(answer, request, next); err != nil || answer.Body.String() != want {
			t.Errorf("%s: %q, %v", path, answer.Body, err)
		}
	}
	// Where nothing is behind it, Caddy would answer an empty 200.
	nothing := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		caddyhttp.SetVar(r.Context(), "unhandled", true)
		return nil
	})
	answer := httptest.NewRecorder()
	request := caddyhttp.PrepareRequest(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), caddy.NewReplacer(), answer, nil)
	if err := a.ServeHTTP(answer, request, nothing); err != nil || answer.Code != http.StatusNotFound {
		t.Errorf("%d %q, %v", answer.Code, answer.Body, err)
	}
}
