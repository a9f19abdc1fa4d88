package howto

import (
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/redistest"
)

const jobsList = "/api/2.2/jobs/list"

// threeReplicas has four machines. It is skipped where there is no redis-server.
var threeReplicas = page{
	name: "three-replicas",
	prepare: func(s *session) {
		t := s.t
		redis := redistest.Start(t)
		ca := fleettest.NewCertificates(t)
		token := s.workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, Lifetime: time.Hour})
		s.names = append(s.names, "rediss://redis.example.com:6379", "redis://"+redis.Addr)
		for _, name := range []string{"gw-1", "gw-2", "gw-3", "edge"} {
			m := s.machine(name)
			for _, folder := range []string{"run/secrets", "etc/scopegate"} {
				if err := os.MkdirAll(filepath.Join(m.folder, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			certificate, key := ca.Issue(t, name)
			copyFile(s, certificate, filepath.Join(m.folder, "etc/scopegate/tls.crt"))
			copyFile(s, key, filepath.Join(m.folder, "etc/scopegate/tls.key"))
			copyFile(s, ca.RootFile(), filepath.Join(m.folder, "etc/scopegate/ca.crt"))
			s.write(m, "token-id", token.Info.TokenId)
			s.write(m, "token", token.Value)
			s.names = append(s.names, name+".example.com:9443", "localhost:"+s.port(m, "9443"))
			if name != "edge" {
				s.signIn(m)
				s.set(m, "NAME", "localhost")
			}
		}
	},
	hooks: map[string]func(*session){
		"copy the secrets": func(s *session) {
			for _, name := range []string{"fleet.key", "edge-token"} {
				for _, m := range s.machines[1:] {
					copyFile(s, filepath.Join(s.machines[0].folder, "run/secrets", name), filepath.Join(m.folder, "run/secrets", name))
				}
			}
		},
		"all let it pass": func(s *session) { askAll(s, "") },
		"all refuse it":   func(s *session) { askAll(s, "unknown_token") },
	},
}

// askAll uses the token at every gateway until all answer as they must: with a reason, or, without
// one, by letting it pass.
func askAll(s *session, want string) {
	s.t.Helper()
	token, err := os.ReadFile(filepath.Join(s.machines[0].folder, "token"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.machines {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			status, reason := s.call(m, "GET", jobsList, string(token))
			if reason == want && (status == http.StatusOK || want != "") {
				break
			}
			if time.Now().After(deadline) {
				s.t.Fatalf("%s: %d %s, not %q%s", m.name, status, reason, want, s.logs())
			}
		}
	}
}

func copyFile(s *session, from, to string) {
	s.t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
