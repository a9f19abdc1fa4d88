package lifecycle

import (
	"fmt"
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

// refused is what a gateway says that must not start.
const refused = "another process already listens on "

// TestAddressInUse: a gateway does not start where another process listens. Caddy's
// sockets can be shared, so both would get some of the requests.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listen, health, admin := processtest.FreeAddress(t), processtest.FreeAddress(t), processtest.FreeAddress(t)
	first := r.start(t, listen, r.sidecar(listen, "--health", health, "--admin", admin))
	first.AwaitListener(t, health)
	wildcard := processtest.FreeAddress(t)
	_, wildcardPort := split(wildcard)
	r.start(t, wildcard, runFile(t, "admin off", fmt.Sprintf("http://:%s {\ndatabricks_gateway %s\n}", wildcardPort, r.workspace.URL())))
	socket := filepath.Join(t.TempDir(), "gateway.sock")
	onSocket := fmt.Sprintf("http:// {\nbind unix/%s\ndatabricks_gateway %s\n}", socket, r.workspace.URL())
	holder := r.launch(t, "", runFile(t, "admin off", onSocket))
	holder.Await(t, "a socket", func() bool { _, err := os.Stat(socket); return err == nil })

	free := func() string { return processtest.FreeAddress(t) }
	_, port := split(listen)
	for _, tt := range []struct {
		name    string
		command []string
		address string
	}{
		{"sidecar", r.sidecar(listen), listen},
		{"sidecar in another mode", r.sidecar(listen, "--mode", "observe"), listen},
		{"sidecar by name", r.sidecar("localhost:" + port), "localhost:" + port},
		{"sidecar on all interfaces", r.sidecar("0.0.0.0:" + port), "0.0.0.0:" + port},
		{"sidecar on all interfaces, IPv6", r.sidecar("[::]:" + port), "[::]:" + port},
		{"sidecar on one of all interfaces", r.sidecar(wildcard), wildcard},
		{"sidecar, probes", r.sidecar(free(), "--health", health), "--health: " + refused + health},
		{"sidecar, probes on the gateway's", r.sidecar(free(), "--health", listen), listen},
		{"sidecar, admin API", r.sidecar(free(), "--admin", admin), "--admin: " + refused + admin},
		{"Caddyfile", runFile(t, "admin off", r.site(listen)), listen},
		{"Caddyfile on all interfaces", runFile(t, "admin off", "http://:"+port+" {\ndatabricks_gateway "+r.workspace.URL()+"\n}"), ":" + port},
		{"Caddyfile, second site", runFile(t, "admin off", r.site(free()), r.site(listen)), listen},
		{"Caddyfile, probes", runFile(t, "admin off", r.site(free()), "http://:"+port+" {\nbind 127.0.0.1\ndatabricks_scopes_health\n}"), listen},
		{"Caddyfile, socket", runFile(t, "admin off", onSocket), socket},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := r.launch(t, "", tt.command)
			if code := p.Exit(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if printed := p.Log.String(); !strings.Contains(printed, refused) || !strings.Contains(printed, tt.address) {
				t.Errorf("it does not name %s:\n%s", tt.address, printed)
			}
		})
	}
	t.Run("default admin API", func(t *testing.T) {
		t.Parallel()
		r := *r
		r.env = append(r.env[:len(r.env):len(r.env)], "CADDY_ADMIN="+admin)
		p := r.launch(t, "", runFile(t, "", r.site(free())))
		if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), refused+admin) {
			t.Errorf("exit code %d\n%s", code, p.Log)
		}
	})
	t.Run("validate", func(t *testing.T) {
		t.Parallel()
		command := runFile(t, "", r.site(listen))
		command[0] = "validate"
		if p := r.launch(t, "", command); p.Exit(t) != 0 {
			t.Error(p.Log)
		}
	})
	t.Run("any port", func(t *testing.T) {
		t.Parallel()
		site := "http://:0 {\nbind 127.0.0.1\ndatabricks_gateway " + r.workspace.URL() + "\n}"
		for range 2 {
			p := r.launch(t, "", runFile(t, "admin off", site))
			p.AwaitLog(t, "serving initial configuration")
		}
	})
}

// TestReload: a configuration may use the addresses of the one before.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
	_, port := split(listen)
	r.env = append(r.env, "CADDY_ADMIN="+admin)
	everywhere := fmt.Sprintf("http://:%s {\ndatabricks_gateway %s\n}", port, r.workspace.URL())
	socket := filepath.Join(t.TempDir(), "gateway.sock")
	onSocket := fmt.Sprintf("http:// {\nbind unix/%s\ndatabricks_gateway %s\n}", socket, r.workspace.URL())
	p := r.start(t, listen, runFile(t, "", r.site(listen), onSocket))
	for i, sites := range [][]string{
		{r.site(listen), onSocket}, {r.site(listen), onSocket}, {everywhere, onSocket}, {r.site(listen), onSocket}, {everywhere},
	} {
		command := runFile(t, fmt.Sprintf("grace_period %ds", i+1), sites...)
		command[0] = "reload"
		if reload := r.launch(t, "", append(command, "--address", admin)); reload.Exit(t) != 0 {
			t.Fatalf("reload %d: %s\n%s", i, reload.Log, p.Log)
		}
		p.AwaitListener(t, listen)
	}
	// Not one that another process uses.
	busy := processtest.FreeAddress(t)
	r.start(t, busy, r.sidecar(busy))
	command := runFile(t, "", r.site(listen), r.site(busy))
	command[0] = "reload"
	if reload := r.launch(t, "", append(command, "--address", admin)); reload.Exit(t) == 0 || !strings.Contains(reload.Log.String(), refused+busy) {
		t.Errorf("%s", reload.Log)
	}
	if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// TestReplacement: a process may start while the one before still finishes requests.
func TestReplacement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
	command := r.sidecar(listen, "--admin", admin, "--grace-period", "20s")
	first := r.launch(t, listen, command)
	first.AwaitLog(t, "point your client here") // it has looked whether the port is free
	gate := r.workspace.HoldEvents()
	x := r.openStream(t, first.URL, http.DefaultClient)
	first.Signal(t, syscall.SIGTERM)
	first.AwaitLog(t, "grace period initiated")
	first.Await(t, "end of the listener", func() bool {
		connection, err := net.Dial("tcp", listen)
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	second := r.start(t, listen, command)
	if status, _, body := second.Get(t, harness.JobsList, r.token); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	select {
	case err := <-x.ended:
		t.Errorf("the stream of the first ended: %v", err)
	default:
	}
	gate.Open()
	if err := <-x.ended; err != nil {
		t.Errorf("the stream of the first: %v", err)
	}
	if code := first.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSocketActivation: a parent may pass a socket, as systemd does, also to two.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 2 {
		arguments := runFile(t, "admin off", fmt.Sprintf("http:// {\nbind fd/3\ndatabricks_gateway %s\n}", r.workspace.URL()))
		command := exec.Command("scopegate", arguments...)
		command.Env = append(processtest.Environment(t), r.env...)
		command.ExtraFiles = []*os.File{file}
		p := &processtest.Process{URL: "http://" + listener.Addr().String(), Log: new(processtest.Log)}
		command.Stderr = p.Log
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
		p.AwaitLog(t, "serving initial configuration")
		if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
}

// TestStartedTogether: of two gateways that start at the same moment, one does.
func TestStartedTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		listen := processtest.FreeAddress(t)
		both := []*processtest.Process{r.launch(t, listen, r.sidecar(listen)), r.launch(t, listen, r.sidecar(listen))}
		both[0].Await(t, "both to have started or failed", func() bool {
			for _, p := range both {
				if printed := p.Log.String(); !strings.Contains(printed, refused) && !strings.Contains(printed, "point your client here") {
					return false
				}
			}
			return true
		})
		started := 0
		for _, p := range both {
			if strings.Contains(p.Log.String(), "point your client here") {
				started++
			}
		}
		if started != 1 {
			t.Errorf("%d started:\n%s\n%s", started, both[0].Log, both[1].Log)
		}
	}
}
