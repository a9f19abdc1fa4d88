package caddyserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestStopping: only a process that is shutting down may be replaced, and not one that takes
// long to start.
func TestStopping(t *testing.T) {
	t.Parallel()
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, test := range []struct {
		name           string
		health, config http.HandlerFunc
		want           bool
	}{
		{"a gateway", says(200, `{"live":true,"ready":true,"stopping":false}`), says(200, "{}"), false},
		{"a gateway that loads its configuration", says(503, `{"live":true,"ready":false,"stopping":false}`), hangs, false},
		{"a gateway that shuts down", says(503, `{"live":true,"ready":false,"stopping":true}`), hangs, true},
		{"another Caddy", says(404, ""), says(200, "{}"), false},
		{"another Caddy that shuts down", says(404, ""), hangs, true},
		{"something else", says(200, "stopping"), says(404, ""), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc(healthPath, test.health)
			mux.HandleFunc("/config/", test.config)
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			address, err := caddy.ParseNetworkAddress(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got := stopping(address); got != test.want {
				t.Errorf("stopping: %t", got)
			}
		})
	}
}
