package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// rig is a machine as the units leave it: the packaged Caddyfile with the one line edited,
// the credentials, and a socket for notifications.
type rig struct {
	workspace      *fakeworkspace.Workspace
	token          string
	listen, health string
	folder         string
	env            []string
	unit           unit
	notifications  *net.UnixConn
}

func newRig(t *testing.T, bind string) *rig {
	t.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	folder, err := os.MkdirTemp("", "sg") // short, because the paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	r := &rig{
		workspace: workspace,
		token:     workspace.Mint(fakeworkspace.TokenSpec{}).Value,
		listen:    processtest.FreeAddress(t),
		health:    processtest.FreeAddress(t),
		folder:    folder,
		unit:      readUnit(t, "scopegate.service"),
	}
	for _, name := range []string{"run", "log", "credentials"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	id, secret := workspace.AdminClient()
	r.write(t, "credentials/client_id", id+"\n", 0o400)
	r.write(t, "credentials/client_secret", secret+"\n", 0o400)
	r.install(t, bind, workspace.URL())
	r.notifications, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.notifications.Close() })
	r.env = []string{"NOTIFY_SOCKET=" + filepath.Join(folder, "notify"), "CREDENTIALS_DIRECTORY=" + filepath.Join(folder, "credentials")}
	return r
}

// install writes the packaged Caddyfile, with the paths and ports of the test.
func (r *rig) install(t *testing.T, bind, workspace string) {
	t.Helper()
	file := readFile(t, "Caddyfile")
	for old, replacement := range map[string]string{
		"https://<name>.cloud.databricks.com":     workspace,
		"/run/scopegate/":                         r.folder + "/run/",
		"/var/log/scopegate/":                     r.folder + "/log/",
		"http://:8080 {":                          "http://:" + port(r.listen) + " {",
		"http://:8081 {":                          "http://:" + port(r.health) + " {",
		"bind 127.0.0.1\n\n\tdatabricks_gateway ": bind + "\n\n\tdatabricks_gateway ",
	} {
		if strings.Count(file, old) != 1 {
			t.Fatalf("the Caddyfile has %q %d times", old, strings.Count(file, old))
		}
		file = strings.Replace(file, old, replacement, 1)
	}
	r.write(t, "Caddyfile", file, 0o600)
}

func (r *rig) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(r.folder, name)
	_ = os.Remove(path) // may be read-only
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// command returns the arguments of a command of the unit, for the Caddyfile of the test.
func (r *rig) command(t *testing.T, directive string) []string {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(r.unit.one(t, "Service."+directive), "/etc/scopegate/Caddyfile", filepath.Join(r.folder, "Caddyfile")))
	if words[0] != "/usr/bin/scopegate" {
		t.Fatalf("%s runs %s", directive, words[0])
	}
	return words[1:]
}

// launch runs a command of the unit.
func (r *rig) launch(t *testing.T, directive string) *processtest.Process {
	t.Helper()
	return processtest.Launch(t, r.listen, r.env, "scopegate", r.command(t, directive)...)
}

// await reads notifications up to one, and returns those that it read.
func (r *rig) await(t *testing.T, want string) (read []string) {
	t.Helper()
	buffer := make([]byte, 4096)
	if err := r.notifications.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := r.notifications.Read(buffer)
		if err != nil {
			t.Fatalf("no %s, only %q: %v", want, read, err)
		}
		read = append(read, string(buffer[:n]))
		if read[len(read)-1] == want {
			return read
		}
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
