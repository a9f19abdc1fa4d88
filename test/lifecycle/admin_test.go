package lifecycle

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// openWarning is what a gateway says whose admin API is open to others.
const openWarning = "the admin API is open to others"

// ask runs a command in the environment of a gateway, and returns what it printed.
func ask(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	command := exec.Command("scopegate", args...)
	command.Env = append(processtest.Environment(t), env...)
	output, err := command.CombinedOutput()
	return string(output), err
}

// isPrivate checks that only this user can open a socket.
func isPrivate(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("socket: %v %v", info, err)
	}
	if info, err := os.Lstat(filepath.Dir(path)); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("folder: %v %v", info, err)
	}
}

// answering reports whether an admin API answers on a socket.
func answering(t *testing.T, path string) bool {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	answer, err := client.Get("http://127.0.0.1/databricks_scopes/health")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return err == nil && strings.Contains(string(text), "live")
}

// TestSidecarSocket: sidecars have their admin API on sockets of their own, which commands
// find, and what a killed one leaves behind is in nobody's way.
func TestSidecarSocket(t *testing.T) {
	t.Parallel()
	processtest.NeedNoGateway(t)
	r := newRig(t)
	runtime := harness.TempDir(t)
	r.env = append(r.env, "XDG_RUNTIME_DIR="+runtime)
	report := func(args ...string) (string, error) {
		return ask(t, r.env, append([]string{"scopes", "report"}, args...)...)
	}
	one, two := processtest.FreeAddress(t), processtest.FreeAddress(t)
	socketOf := func(listen string) string {
		_, port := split(listen)
		return filepath.Join(runtime, "scopegate", "gateway-"+port+".sock")
	}

	first := r.launch(t, one, r.sidecar(one))
	first.AwaitLog(t, "point your client here")
	isPrivate(t, socketOf(one))
	if printed, err := report(); err != nil || !strings.Contains(printed, "tokens") {
		t.Errorf("one gateway: %v\n%s", err, printed)
	}

	second := r.launch(t, two, r.sidecar(two))
	second.AwaitLog(t, "point your client here")
	isPrivate(t, socketOf(two))
	printed, err := report()
	if err == nil || !strings.Contains(printed, "several gateways run here; choose one with --address") ||
		!strings.Contains(printed, "unix/"+socketOf(one)) || !strings.Contains(printed, "unix/"+socketOf(two)) {
		t.Errorf("two gateways: %v\n%s", err, printed)
	}
	for _, address := range []string{"unix/" + socketOf(two), "unix/" + socketOf(two) + "|0600", socketOf(two)} {
		if printed, err := report("--address", address); err != nil {
			t.Errorf("--address %s: %v\n%s", address, err, printed)
		}
	}

	// The first is killed. Its socket stays, and commands are not confused by it.
	first.Signal(t, syscall.SIGKILL)
	first.Exit(t)
	if _, err := os.Lstat(socketOf(one)); err != nil {
		t.Errorf("no stale socket: the test does not show what it says: %v", err)
	}
	if printed, err := report(); err != nil {
		t.Errorf("one of two left: %v\n%s", err, printed)
	}
	first = r.launch(t, one, r.sidecar(one))
	first.AwaitLog(t, "point your client here")
	if !answering(t, socketOf(one)) {
		t.Errorf("the next one does not answer:\n%s", first.Log)
	}
	if strings.Contains(first.Log.String(), openWarning) {
		t.Errorf("warned:\n%s", first.Log)
	}

	if printed, err := ask(t, r.env, "stop", "--address", "unix/"+socketOf(two)); err != nil || second.Exit(t) != 0 {
		t.Errorf("stop --address: %v\n%s", err, printed)
	}
	if printed, err := ask(t, r.env, "stop"); err != nil || first.Exit(t) != 0 {
		t.Errorf("stop: %v\n%s", err, printed)
	}
	if sockets, err := os.ReadDir(filepath.Join(runtime, "scopegate")); err != nil || len(sockets) > 0 {
		t.Errorf("left %v %v", sockets, err)
	}
	for _, command := range [][]string{{"scopes", "report"}, {"stop"}} {
		printed, err := ask(t, append(r.env, "CADDY_ADMIN=127.0.0.1:9"), command...)
		if err == nil || !strings.Contains(printed, "no gateway answers at 127.0.0.1:9") || !strings.Contains(printed, "--address") {
			t.Errorf("%v without a gateway: %v\n%s", command, err, printed)
		}
	}
}

// TestSocketInUse: no path that another process listens on is taken from it, while it shuts
// down neither. Caddy alone would take it.
func TestSocketInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	folder := harness.TempDir(t)
	admin, tcp := filepath.Join(folder, "made", "admin.sock"), processtest.FreeAddress(t)
	listen, other := processtest.FreeAddress(t), processtest.FreeAddress(t)
	r.start(t, listen, runFile(t, "admin unix/"+admin+"|0600", r.site(listen)))
	r.start(t, other, runFile(t, "admin "+tcp, r.site(other)))
	isPrivate(t, admin)
	for name, command := range map[string][]string{
		"Caddyfile": runFile(t, "admin unix/"+admin+"|0600", r.site(processtest.FreeAddress(t))),
		"sidecar":   r.sidecar(processtest.FreeAddress(t), "--admin", "unix/"+admin+"|0600"),
		"TCP":       runFile(t, "admin "+tcp, r.site(processtest.FreeAddress(t))),
	} {
		p := r.launch(t, "", command)
		if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), refused) {
			t.Errorf("%s: exit code %d\n%s", name, code, p.Log)
		}
		if !answering(t, admin) {
			t.Errorf("%s: it took the socket away", name)
		}
	}
	// A sidecar whose folder and port another one has, as in two containers, takes another name.
	runtime := harness.TempDir(t)
	if err := os.Mkdir(filepath.Join(runtime, "scopegate"), 0o700); err != nil {
		t.Fatal(err)
	}
	listen = processtest.FreeAddress(t)
	_, port := split(listen)
	taken := filepath.Join(runtime, "scopegate", "gateway-"+port)
	holder, err := net.Listen("unix", taken+".sock")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	r.env = append(r.env, "XDG_RUNTIME_DIR="+runtime)
	r.start(t, listen, r.sidecar(listen)).AwaitLog(t, "point your client here")
	isPrivate(t, taken+"-2.sock")
}

// TestSocketsTogether: of two gateways that start on one socket, or with one address of the
// admin API, at the same moment, one does.
func TestSocketsTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 6 {
		socket := filepath.Join(harness.TempDir(t), "admin.sock")
		admin := "unix/" + socket + "|0600"
		if i%2 == 1 {
			admin = processtest.FreeAddress(t)
		}
		var both []*processtest.Process
		for range 2 {
			both = append(both, r.launch(t, "", runFile(t, "admin "+admin, r.site(processtest.FreeAddress(t)))))
		}
		started := 0
		for _, p := range both {
			p.Await(t, "its start or its end", func() bool {
				printed := p.Log.String()
				return strings.Contains(printed, refused) || strings.Contains(printed, "serving initial configuration")
			})
			if strings.Contains(p.Log.String(), "serving initial configuration") {
				started++
			}
		}
		if started != 1 || i%2 == 0 && !answering(t, socket) {
			t.Errorf("%d started:\n%s\n%s", started, both[0].Log, both[1].Log)
		}
	}
}

// TestSidecarForwarding: of a sidecar's clients, too, only the gateway says who they are.
func TestSidecarForwarding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, mode := range []string{"enforce", "observe"} {
		listen := processtest.FreeAddress(t)
		r.start(t, listen, r.sidecar(listen, "--mode", mode))
		r.workspace.Reset()
		conn := dial(t, listen)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Port: 203\r\n\r\n", harness.JobsList, r.token)
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v", mode, answer, err)
		}
		for _, arrived := range r.workspace.Requests() {
			if arrived.Path != harness.JobsList {
				continue
			}
			for name, values := range arrived.Header {
				if strings.Contains(strings.Join(values, " "), "203.0.113.9") || name == "X-Forwarded-Port" {
					t.Errorf("%s: %s arrived: %q", mode, name, values)
				}
			}
			if got := arrived.Header["X-Forwarded-For"]; len(got) != 1 || got[0] != "127.0.0.1" {
				t.Errorf("%s: X-Forwarded-For: %q", mode, got)
			}
		}
	}
}

// TestSocketReload: a reload keeps the socket and its mode, or moves it, and commands find it
// by the configuration file.
func TestSocketReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	folder := harness.TempDir(t)
	listen := processtest.FreeAddress(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	write := func(admin string) {
		content := fmt.Sprintf("{\nauto_https off\nadmin %s\n}\n%s", admin, r.site(listen))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := filepath.Join(folder, "one.sock"), filepath.Join(folder, "two.sock")
	write("unix/" + one + "|0600")
	p := r.start(t, listen, []string{"run", "--config", file, "--adapter", "caddyfile"})
	p.AwaitLog(t, "serving initial configuration")
	reload := func(args ...string) {
		t.Helper()
		if printed, err := ask(t, r.env, append([]string{"reload", "--force", "--config", file, "--adapter", "caddyfile"}, args...)...); err != nil {
			t.Fatalf("%v\n%s\n%s", err, printed, p.Log)
		}
	}
	for range 3 {
		reload()
		isPrivate(t, one)
	}
	if printed, err := ask(t, r.env, "scopes", "report", "--config", file, "--adapter", "caddyfile"); err != nil || !strings.Contains(printed, "tokens") {
		t.Errorf("report --config: %v\n%s", err, printed)
	}
	write("unix/" + two + "|0600")
	reload("--address", "unix/"+one)
	isPrivate(t, two)
	p.Await(t, "end of the first socket", func() bool { _, err := os.Lstat(one); return err != nil })
	write("unix/" + one + "|0600")
	reload("--address", "unix/"+two)
	isPrivate(t, one)
	write("off")
	for name, printed := range map[string]func() (string, error){
		"turns the admin API off": func() (string, error) {
			return ask(t, r.env, "scopes", "report", "--config", file, "--adapter", "caddyfile")
		},
		"no gateway answers at": func() (string, error) { return ask(t, r.env, "scopes", "report", "--address", two) },
	} {
		if printed, err := printed(); err == nil || !strings.Contains(printed, name) {
			t.Errorf("%s: %v\n%s", name, err, printed)
		}
	}
	if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// TestOpenAdmin: a gateway warns once, also over reloads, if others can connect to its admin
// API, and only then.
func TestOpenAdmin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	free := func() string { return processtest.FreeAddress(t) }
	folder, public := harness.TempDir(t), harness.TempDir(t)
	if err := os.Chmod(public, 0o777); err != nil {
		t.Fatal(err)
	}
	const replaceable = "another user can put a socket in the place of the admin API's"
	asJSON := func(admin any) []string {
		config := map[string]any{"admin": admin, "apps": map[string]any{"http": map[string]any{"servers": map[string]any{"x": map[string]any{
			"listen": []string{free()}, "routes": []any{map[string]any{"handle": []any{map[string]any{"handler": "databricks_scopes", "workspace": r.workspace.URL()}}}},
		}}}}}
		if admin == nil {
			delete(config, "admin")
		}
		content, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"run", "--config", name}
	}
	for _, tt := range []struct {
		name    string
		env     string
		command []string
		warns   string
		address string // for reloads
	}{
		{name: "TCP", command: runFile(t, "admin {ADDRESS}", r.site(free())), warns: openWarning, address: free()},
		{name: "all interfaces", command: runFile(t, "admin {ADDRESS}", r.site(free())), warns: "other machines", address: "0.0.0.0:" + portOf(free())},
		{name: "nothing written", env: "CADDY_ADMIN={ADDRESS}", command: runFile(t, "", r.site(free())), warns: openWarning, address: free()},
		{name: "JSON", command: asJSON(map[string]any{"listen": "{ADDRESS}"}), warns: openWarning, address: free()},
		{name: "JSON, nothing written", env: "CADDY_ADMIN={ADDRESS}", command: asJSON(nil), warns: openWarning, address: free()},
		{name: "JSON, empty", env: "CADDY_ADMIN={ADDRESS}", command: asJSON(map[string]any{}), warns: openWarning, address: free()},
		{name: "JSON, a placeholder", env: "X={ADDRESS}", command: asJSON(map[string]any{"listen": "{env.X}"}), warns: openWarning, address: free()},
		{name: "abstract", command: runFile(t, "admin {ADDRESS}", r.site(free())), warns: openWarning, address: "unix/@scopegate-test-" + portOf(free())},
		{name: "mode", command: runFile(t, "admin {ADDRESS}|0666", r.site(free())), warns: openWarning, address: "unix/" + folder + "/mode.sock"},
		{name: "sidecar", command: r.sidecar(free(), "--admin", "{ADDRESS}"), warns: openWarning, address: free()},
		{name: "folder", command: runFile(t, "admin {ADDRESS}|0600", r.site(free())), warns: replaceable, address: "unix/" + public + "/a.sock"},
		{name: "socket", command: runFile(t, "admin {ADDRESS}|0600", r.site(free())), address: "unix/" + folder + "/a.sock"},
		{name: "socket, default mode", command: runFile(t, "admin {ADDRESS}", r.site(free())), address: "unix/" + folder + "/b.sock"},
		{name: "off", command: runFile(t, "admin off", r.site(free()))},
		{name: "JSON, off", command: asJSON(map[string]any{"disabled": true})},
		{name: "sidecar, off", command: r.sidecar(free(), "--admin", "off")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := *r
			r.env = append(r.env[:len(r.env):len(r.env)], strings.ReplaceAll(tt.env, "{ADDRESS}", tt.address))
			for i, argument := range tt.command {
				tt.command[i] = strings.ReplaceAll(argument, "{ADDRESS}", tt.address)
				if content, err := os.ReadFile(argument); err == nil {
					if err := os.WriteFile(argument, []byte(strings.ReplaceAll(string(content), "{ADDRESS}", tt.address)), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			p := r.launch(t, "", tt.command)
			p.Await(t, "a gateway", func() bool {
				printed := p.Log.String()
				return strings.Contains(printed, "serving initial configuration") || strings.Contains(printed, "point your client here")
			})
			if tt.address != "" && tt.command[0] == "run" {
				for range 2 {
					command := append([]string{"reload", "--force", "--address", tt.address}, tt.command[1:]...)
					if printed, err := ask(t, r.env, command...); err != nil {
						t.Fatalf("reload: %v\n%s", err, printed)
					}
				}
			}
			printed := p.Log.String()
			if tt.warns == "" && (strings.Contains(printed, openWarning) || strings.Contains(printed, replaceable)) {
				t.Errorf("warned:\n%s", printed)
			}
			if tt.warns != "" && strings.Count(printed, tt.warns) != 1 {
				t.Errorf("warned %d times:\n%s", strings.Count(printed, tt.warns), printed)
			}
		})
	}
}

func portOf(address string) string {
	_, port := split(address)
	return port
}
