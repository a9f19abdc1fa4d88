package caddyserver

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestOpenTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"localhost:2019": "every process on this machine", "127.0.0.1:2019": "every process on this machine", "[::1]:2019": "every process on this machine",
		"127.8.8.8:1": "every process on this machine", "tcp4/localhost:1": "every process on this machine",
		":2019": "other machines", "0.0.0.0:2019": "other machines", "[::]:2019": "other machines", "gateway.svc:2019": "other machines",
		"unix/@admin": "abstract", "unix/@admin|0600": "abstract",
		"unix//a|0666": "every user", "unix//a|0602": "every user", "unix//a|0660": "in its group", "unix//a|0620": "in its group", "unix//a|0640": "", "unix//a|0600": "", "unix//a": "", "unix/a": "",
		"fd/12345": "file descriptor 12345",
	} {
		parsed, err := caddy.ParseNetworkAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := openTo(parsed); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestPassedSocket: of a socket that a parent passed it is known whether it is on TCP.
func TestPassedSocket(t *testing.T) {
	t.Parallel()
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(socketDir(t), "a.sock")} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		file, err := listener.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		descriptor := caddy.NetworkAddress{Network: "fd", Host: itoa(file.Fd())}
		if got := openTo(descriptor); (got == "") != (network == "unix") {
			t.Errorf("%s: %q", network, got)
		}
	}
}

// TestFindAdmin: an address is found in a fixed order, and errors say what to do.
func TestFindAdmin(t *testing.T) {
	folder := socketDir(t)
	t.Setenv("XDG_RUNTIME_DIR", folder)
	t.Setenv("TMPDIR", folder)
	open := func(path string) string {
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		return "unix/" + path
	}
	given, configured, variable := open(folder+"/given.sock"), open(folder+"/configured.sock"), open(folder+"/variable.sock")
	if err := os.Mkdir(folder+"/scopegate", 0o700); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := file("config.json", `{"admin":{"listen":"`+configured+`|0600"}}`)
	silent := file("silent.json", `{}`)
	off := file("off.json", `{"admin":{"disabled":true}}`)
	usual := caddy.DefaultAdminListen
	t.Cleanup(func() { caddy.DefaultAdminListen = usual })

	find := func(address, config, want string) {
		t.Helper()
		got, err := FindAdmin(address, config, "")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("--address %q --config %q: %s, want %s", address, config, got, want)
		}
	}
	find(given, config, given)
	find(folder+"/given.sock", "", given)
	find(given+"|0600", "", given)
	find("", config, configured)
	find("", off, "off.json turns the admin API off")
	find("", folder+"/none.json", "reading the configuration")
	find("http://localhost:2019/", "", "leave out the scheme: localhost:2019")
	find("localhost:x", "", "is no address of an admin API")
	find("unix/"+folder+"/none.sock", "", "no gateway answers at")

	t.Setenv("CADDY_ADMIN", variable)
	caddy.DefaultAdminListen = variable // as Caddy does at its start
	find("", "", variable)
	find("", silent, variable)
	find("", config, configured)
	if err := os.Unsetenv("CADDY_ADMIN"); err != nil {
		t.Fatal(err)
	}
	find("", "", variable) // Caddy's default, if somebody listens there
	caddy.DefaultAdminListen = "127.0.0.1:9"
	if _, err := os.Stat("/run/scopegate"); err == nil {
		t.Skip("gateways of this machine could be found")
	}
	find("", "", "found no running gateway: no socket in "+folder+"/scopegate")
	found := open(folder + "/scopegate/gateway-1.sock")
	find("", "", found)
	open(folder + "/scopegate/gateway-2.sock")
	find("", "", "several gateways run here; choose one with --address")
	find(given, "", given)
}

// TestPermissionDenied: the error for another user's gateway says so.
func TestPermissionDenied(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("only root can become another user")
	}
	folder := socketDir(t)
	path := filepath.Join(folder, "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	asAnotherUser(t, func() {
		_, err = FindAdmin(path, "", "")
	})
	if err == nil || !strings.Contains(err.Error(), "permission denied: the admin API at unix/"+path+" belongs to another user") {
		t.Errorf("got %v", err)
	}
}

// socketDir returns a private folder with a path short enough for sockets.
func socketDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
