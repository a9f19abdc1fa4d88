package preflight

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		live   bool
		status int
		body   string
		says   string // of the error; empty for success
	}{
		{"ready", false, 200, `{"ready":true,"workspaces":[{"workspace":"https://a","ready":true}]}`, ""},
		{"runs", true, 200, "ok\n", ""},
		{"not ready", false, 503, `{"ready":false,"workspaces":[{"workspace":"https://a","ready":false,"reason":"admin_rejected","message":"do this"}]}`, "https://a: admin_rejected: do this"},
		{"ends", false, 503, `{"ready":false,"reason":"shutting_down","message":"the gateway is shutting down"}`, "shutting_down: the gateway"},
		{"no site has the address", false, 200, "", "other than databricks_scopes_health (200 from Caddy)"},
		{"no site, live", true, 200, "", "other than databricks_scopes_health"},
		{"another program", true, 404, "404 page not found", "(404 from Caddy)"},
		{"a redirect", false, 302, "", "(302 from Caddy)"},
		{"too sure of itself", false, 503, `{"ready":true}`, "is not ready (503)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := map[bool]string{true: "/livez", false: "/readyz"}[test.live]; r.URL.Path != want {
					t.Errorf("it asks %s", r.URL.Path)
				}
				w.Header().Set("Server", "Caddy")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			t.Cleanup(server.Close)
			answer, err := Probe{Network: "tcp", Address: server.Listener.Addr().String(), Live: test.live}.Ask(t.Context())
			checkProbe(t, answer, err, test.says)
		})
	}
}

// checkProbe compares an answer with what an error must say.
func checkProbe(t *testing.T, answer string, err error, says string) {
	t.Helper()
	switch {
	case says == "" && (err != nil || answer == ""):
		t.Errorf("%q, %v", answer, err)
	case says != "" && (err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n")):
		t.Errorf("%v, want %q", err, says)
	}
}

func TestProbeWithoutAnswer(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for says, test := range map[string]struct {
		ctx              context.Context
		network, address string
	}{
		"start the gateway with a health listener (--health 127": {t.Context(), "tcp", closed.Addr().String()},
		"nothing listens on " + folder + "/none":                 {t.Context(), "unix", filepath.Join(folder, "none")},
		"in time":                                                {ctx, "tcp", silent.Addr().String()},
	} {
		answer, err := Probe{Network: test.network, Address: test.address}.Ask(test.ctx)
		checkProbe(t, answer, err, says)
	}
}

func TestProbeUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })}}
	server.Start()
	t.Cleanup(server.Close)
	answer, err := Probe{Network: "unix", Address: socket, Live: true}.Ask(t.Context())
	checkProbe(t, answer, err, "")
}
