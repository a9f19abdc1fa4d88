package howto

import (
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// deploy starts from nothing but a token.
var deploy = page{name: "deploy", prepare: func(s *session) {
	s.set(s.home(), "TOKEN", s.workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value)
}}

// explain403 has a gateway that runs, and a client with the wrong token.
var explain403 = page{name: "explain-a-403", prepare: func(s *session) {
	s.set(s.home(), "TOKEN", s.workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"sql"}, Lifetime: time.Hour}).Value)
	s.signIn(s.home())
	s.serve(s.home(), "scopegate sidecar --workspace https://<name>.cloud.databricks.com --health 127.0.0.1:8081")
}}

// sdkUpgrade has a gateway with an older map: one in which listing jobs needed clusters.
var sdkUpgrade = page{name: "sdk-upgrade", hooks: map[string]func(*session){"an older map": func(s *session) {
	m := s.home()
	do := func(command string) { s.run(m, &typed{command: command}) }
	do("openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem")
	s.write(m, "old.tsv", "GET\t/api/2.2/jobs/list\tclusters\toperator\tjobs.List\tas it was\n")
	s.write(m, "old.caddyfile", ":1 {\ndatabricks_scopes {\nworkspace "+s.workspace.URL()+"\nroutes old.tsv\n}\n}\n")
	do("scopegate scopes catalog --config old.caddyfile --adapter caddyfile --export map.tsv --sign key.pem")
	s.write(m, "routes.tsv", "# none yet\n")
	s.signIn(s.home())
	s.serve(m, "scopegate run --config Caddyfile")
	token := s.workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"clusters"}, Lifetime: time.Hour})
	s.call(m, "GET", jobsList, token.Value) // the workspace may refuse it, but not the gateway
}}}
