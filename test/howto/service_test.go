package howto

import (
	"net"
	"net/http"
	"regexp"
	"syscall"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

var (
	// service is a command that runs until it is told to end.
	service = regexp.MustCompile(`^(scopegate (?:run|sidecar)|\./caddy run)\b`)
	// started is what it logs once it serves.
	started = regexp.MustCompile(`serving initial configuration|point your client here`)
	// local is an address in a page at which something of this machine listens.
	local = regexp.MustCompile(`\b(127\.0\.0\.1|localhost):(\d+)`)
	// site is the beginning of a site in a Caddyfile.
	site = regexp.MustCompile(`(https?://(?:\{\$\w+\})?:)(\d+)`)
)

// serve starts a service, in the place of one that the same command started.
func (s *session) serve(m *machine, command string) {
	t := s.t
	t.Helper()
	kind := service.FindString(command) + " on " + m.name
	s.stop(kind)
	p := processtest.Launch(t, "", m.env(), "sh", "-c", s.script(m, "exec "+addressed(command)))
	s.services[kind] = p
	p.Await(t, "start of "+command, func() bool {
		if err := syscall.Kill(p.PID(), 0); err != nil {
			t.Fatalf("%s has ended:\n%s", command, p.Log)
		}
		return started.MatchString(p.Log.String())
	})
	if health, ok := m.ports["8081"]; ok {
		p.Await(t, "readiness", func() bool { return ready(health) })
	}
}

// ready reports whether the probe at a port says that the gateway is ready. Where nothing
// listens, as a page need not have probes, there is nothing to wait for.
func ready(port string) bool {
	answer, err := http.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/readyz")
	if err != nil {
		return true
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop ends a service, if it runs.
func (s *session) stop(kind string) {
	s.t.Helper()
	p := s.services[kind]
	if p == nil {
		return
	}
	delete(s.services, kind)
	p.Signal(s.t, syscall.SIGTERM)
	if code := p.Exit(s.t); code != 0 {
		s.t.Errorf("%s: exit code %d\n%s", kind, code, p.Log)
	}
}
