package lifecycle

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// rig is a workspace, and what a process needs to sign in to it.
type rig struct {
	workspace *fakeworkspace.Workspace
	env       []string
	token     string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	id, secret := workspace.AdminClient()
	return &rig{
		workspace: workspace,
		env:       []string{"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret},
		token:     workspace.Mint(fakeworkspace.TokenSpec{}).Value,
	}
}

// sidecar returns the command line of a sidecar.
func (r *rig) sidecar(listen string, args ...string) []string {
	return append([]string{"sidecar", "--workspace", r.workspace.URL(), "--listen", listen, "--usage", "off"}, args...)
}

// runFile writes a Caddyfile and returns the command line that runs it.
func runFile(t *testing.T, globals string, sites ...string) []string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "Caddyfile")
	content := "{\nauto_https off\n" + globals + "\n}\n" + strings.Join(sites, "\n")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"run", "--config", name, "--adapter", "caddyfile"}
}

// site returns a site with a gateway on an address.
func (r *rig) site(listen string) string {
	host, port := split(listen)
	return fmt.Sprintf("http://:%s {\nbind %s\ndatabricks_gateway %s\n}\n", port, host, r.workspace.URL())
}

func split(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	return address[:i], address[i+1:]
}

// start runs a command that has to work.
func (r *rig) start(t *testing.T, listen string, command []string) *processtest.Process {
	t.Helper()
	return processtest.Start(t, listen, r.env, "scopegate", command...)
}

// launch runs a command that the test ends, or that must fail.
func (r *rig) launch(t *testing.T, listen string, command []string) *processtest.Process {
	t.Helper()
	return processtest.Launch(t, listen, r.env, "scopegate", command...)
}

// dial opens a connection that is closed at the end of the test.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
