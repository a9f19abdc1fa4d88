package howto

import (
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
		for owner, calls := range map[string]int{"etl@example.com": 30, "ana@example.com": 2} {
			token := s.workspace.Mint(fakeworkspace.TokenSpec{Owner: owner, Scopes: []string{"jobs"}, Lifetime: time.Hour})
			for range calls {
				s.call(m, "GET", jobsList, token.Value)
			}
			s.set(m, "TOKEN_OF_"+owner[:3], token.Value)
		}
	},
	hooks: map[string]func(*session){"the plugin is there": func(s *session) {
		caddy := os.Getenv(pluginCaddy)
		if caddy == "" {
			s.t.Skipf("skipped from here on: %s names no Caddy with scopegate and caddy-ratelimit", pluginCaddy)
		}
		s.stop("scopegate run on here")
		if err := os.Symlink(caddy, filepath.Join(s.home().folder, "caddy")); err != nil {
			s.t.Fatal(err)
		}
	}},
}
