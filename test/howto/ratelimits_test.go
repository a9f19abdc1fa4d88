package howto

import (
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// pluginCaddy names a Caddy that contains scopegate and the plugin, for the steps that need both.
const pluginCaddy = "SCOPEGATE_RATELIMIT_CADDY"

// rateLimits has two clients, one of which calls often.
var rateLimits = page{
	name: "rate-limits",
	prepare: func(s *session) {
		m := s.home()
		s.signIn(m)
		s.write(m, "before.caddyfile", `{
	admin off
}
http://:8080 {
	bind 127.0.0.1
	databricks_gateway https://<name>.cloud.databricks.com {
		audit {
			output file audit.jsonl
		}
	}
}
`)
		s.serve(m, "scopegate run --config before.caddyfile --adapter caddyfile")
		for variable, owner := range map[string]string{"TOKEN": "etl@example.com", "OTHER": "ana@example.com"} {
			s.set(m, variable, s.workspace.Mint(fakeworkspace.TokenSpec{Owner: owner, Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value)
		}
		clientsWork(s)
	},
	hooks: map[string]func(*session){
		"the plugin is there": func(s *session) {
			caddy := os.Getenv(pluginCaddy)
			if caddy == "" {
				s.t.Skipf("skipped from here on: %s names no Caddy with scopegate and caddy-ratelimit", pluginCaddy)
			}
			s.stop("scopegate run on here")
			if err := os.Symlink(caddy, filepath.Join(s.home().folder, "caddy")); err != nil {
				s.t.Fatal(err)
			}
		},
		"clients work": func(s *session) {
			s.serve(s.home(), "./caddy run --config Caddyfile")
			clientsWork(s)
		},
		"one client is limited, and the other is not": func(s *session) {
			m := s.home()
			if status, reason := s.call(m, "GET", jobsList, s.value(m, "TOKEN")); status != http.StatusTooManyRequests || reason != "" {
				s.t.Errorf("the client that calls often gets %d %s", status, reason)
			}
			if status, reason := s.call(m, "GET", jobsList, s.value(m, "OTHER")); status != http.StatusOK {
				s.t.Errorf("the other client gets %d %s", status, reason)
			}
		},
	},
}

// clientsWork makes thirty calls with one token and two with another, all of which pass.
func clientsWork(s *session) {
	s.t.Helper()
	m := s.home()
	for variable, calls := range map[string]int{"TOKEN": 30, "OTHER": 2} {
		token := s.value(m, variable)
		for range calls {
			if status, _ := s.call(m, "GET", jobsList, token); status != http.StatusOK {
				s.t.Fatalf("%s gets %d%s", variable, status, s.logs())
			}
		}
	}
}
