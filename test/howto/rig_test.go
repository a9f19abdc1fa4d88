package howto

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/scopes"
)

// page is a page of docs/howto and what its test needs.
type page struct {
	name string
	// prepare makes what is there before the first step, such as tokens.
	prepare func(*session)
	// hooks are what happens between the steps.
	hooks map[string]func(*session)
}

// pages are all pages.
var pages = []page{deploy, explain403, sdkUpgrade, threeReplicas, vendor, rateLimits, legacyPATs, unused}

// TestPages does what the pages say.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			steps := readPage(t, p.name)
			needTools(t, steps)
			processtest.NeedNoGateway(t)
			s := newSession(t, p.name)
			if p.prepare != nil {
				p.prepare(s)
			}
			for i := range steps {
				s.do(&steps[i], p.hooks)
			}
			for kind := range s.services {
				s.stop(kind)
			}
		})
	}
}

// needTools skips a page with commands that this machine does not have.
func needTools(t *testing.T, steps []step) {
	t.Helper()
	for _, one := range steps {
		script := one.text
		for _, c := range one.typed {
			script += "\n" + c.command
		}
		for _, tool := range []string{"curl", "jq", "openssl"} {
			if _, err := exec.LookPath(tool); err != nil && one.file == "" && regexp.MustCompile(`(?m)(^|\W)`+tool+` `).MatchString(script) {
				t.Skipf("skipped: there is no %s; install it with apt-get install %[1]s", tool)
			}
		}
	}
}

// newSession starts a workspace that checks scopes as the shipped map says.
func newSession(t *testing.T, name string) *session {
	t.Helper()
	workspace := fakeworkspace.New(fakeworkspace.WithScopeCheck(harness.CatalogScopes), fakeworkspace.WithScopeNames(scopes.KnownScopes(), scopes.KnownScopes()))
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	id, secret := workspace.AdminClient()
	s := &session{t: t, page: name, workspace: workspace, services: make(map[string]*processtest.Process)}
	s.names = []string{
		"https://<name>.cloud.databricks.com", workspace.URL(),
		"DATABRICKS_CLIENT_ID=…", "DATABRICKS_CLIENT_ID=" + id,
		"DATABRICKS_CLIENT_SECRET=…", "DATABRICKS_CLIENT_SECRET=" + secret,
	}
	return s
}

// home is the machine where everything is done that the page does not say to do elsewhere.
func (s *session) home() *machine { return s.machine("here") }

// machine returns a machine, and makes it if it is new.
func (s *session) machine(name string) *machine {
	s.t.Helper()
	for _, m := range s.machines {
		if m.name == name || name == "here" {
			return m
		}
	}
	runtime, err := os.MkdirTemp("", "sg") // short, because the paths of sockets are
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = os.RemoveAll(runtime) })
	m := &machine{name: name, folder: harness.TempDir(s.t), runtime: runtime, ports: make(map[string]string)}
	s.machines = append(s.machines, m)
	return m
}

// port returns the port that stands for one of the page on a machine.
func (s *session) port(m *machine, port string) string {
	if m.ports[port] == "" {
		_, m.ports[port], _ = net.SplitHostPort(processtest.FreeAddress(s.t))
	}
	return m.ports[port]
}

// set sets a variable for all that is typed on a machine.
func (s *session) set(m *machine, name, value string) {
	s.t.Helper()
	file := filepath.Join(m.folder, ".env")
	before, _ := os.ReadFile(file)
	if err := os.WriteFile(file, append(before, "export "+name+"='"+value+"'\n"...), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// value returns what set has set.
func (s *session) value(m *machine, name string) string {
	s.t.Helper()
	output, _ := s.shell(m, &typed{command: `printf %s "$` + name + `"`})
	return output
}

// signIn sets the gateway's credential, where a page begins after that.
func (s *session) signIn(m *machine) {
	s.t.Helper()
	id, secret := s.workspace.AdminClient()
	s.set(m, "DATABRICKS_CLIENT_ID", id)
	s.set(m, "DATABRICKS_CLIENT_SECRET", secret)
}

// aGateway starts one, where a page begins after that. Its file is Caddyfile.
func aGateway(s *session) {
	s.t.Helper()
	s.write(s.home(), "Caddyfile", `{
	admin unix/{$XDG_RUNTIME_DIR}/scopegate/admin.sock|0600
}

http://:8080 {
	bind 127.0.0.1
	databricks_gateway https://<name>.cloud.databricks.com
}
`)
	s.serve(s.home(), "scopegate run --config Caddyfile")
}

// call makes a request of a client through the gateway on a machine. The reason is the
// gateway's, empty if the workspace answered.
func (s *session) call(m *machine, method, path, token string) (status int, reason string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://127.0.0.1:"+s.port(m, "8080")+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("X-Scopegate-Reason")
}
