package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// lab holds what all setups share: programs, and the services around the proxies.
type lab struct {
	dir       string // for temporary files
	scopegate string // paths of programs
	caddy     string
	nginx     string // empty if it is not installed
	heimdall  string // empty if there is none
	against   variant

	profileSites []string

	upstream   *helper
	authorizer *helper
	receiver   *helper
	dead       string // an address without a listener
}

// variant is a way to run the gateway.
type variant struct {
	program string
	env     []string
	log     string // how the default log handles the proxy's lines, see -against-log

	workspace  string // URL
	adminToken string // for the workspace
}

// asShipped is the gateway that was built, run with Caddyfile.example's settings.
func (l *lab) asShipped(env ...string) variant {
	return variant{
		program: l.scopegate, env: env, log: "exclude",
		workspace: "http://" + l.upstream.Address, adminToken: l.upstream.AdminToken,
	}
}

// repository returns the folder with the gateway's source.
func repository() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/scopegate/scopegate").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the gateway's source (run this in bench/): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// build builds the gateway, and stock Caddy of the same version.
func (l *lab) build(ctx context.Context, say func(string, ...any)) error {
	root, err := repository()
	if err != nil {
		return err
	}
	l.scopegate, l.caddy = filepath.Join(l.dir, "scopegate"), filepath.Join(l.dir, "caddy")
	for _, program := range []struct{ dir, pkg, to string }{
		{root, "./cmd/scopegate", l.scopegate},
		// With the gateway's flags, and at least its dependency versions. The benchmark's module
		// requires it: the gateway does not have all of its modules.
		{filepath.Join(root, "bench"), "github.com/caddyserver/caddy/v2/cmd/caddy", l.caddy},
	} {
		began := time.Now()
		// As releases are built; the version is left out.
		cmd := exec.CommandContext(ctx, "bash", "-c", `version=bench; source "$2/build/release/flags"; exec go build "${build_flags[@]}" -buildvcs=auto -o "$0" "$1"`, program.to, program.pkg, root)
		cmd.Dir, cmd.Env = program.dir, append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", program.pkg, err, said)
		}
		say("built %s in %s", program.pkg, time.Since(began).Round(time.Second))
	}
	if path, err := exec.LookPath("nginx"); err == nil {
		l.nginx = path
	} else if _, err := os.Stat("/usr/sbin/nginx"); err == nil {
		l.nginx = "/usr/sbin/nginx" // Debian's path, which may not be in PATH
	}
	return nil
}

func (l *lab) start() (err error) {
	if l.upstream, err = startHelper(partUpstream); err != nil {
		return err
	}
	if l.authorizer, err = startHelper(partAuthorizer); err != nil {
		return err
	}
	if l.receiver, err = startHelper(partReceiver); err != nil {
		return err
	}
	addresses, err := freeAddresses(1)
	if err == nil {
		l.dead = addresses[0]
	}
	return err
}

func (l *lab) stop() {
	for _, h := range []*helper{l.upstream, l.authorizer, l.receiver} {
		if h != nil {
			h.stop()
		}
	}
}

// target is one measured way to reach the upstream, or to ask for a decision.
type target struct {
	name     string
	address  string
	pids     []int // processes whose CPU time counts
	inFlight int   // concurrent requests, at most connections
	enforces bool  // refuses what a token's scopes do not permit
	// sender prepares calls for one of the concurrent requests.
	sender func(calls []call) sender
	client *fasthttp.HostClient // of senders of HTTP; otherwise nil
}

func newTarget(name, address string, pids ...int) *target {
	client := newClient(address)
	return &target{
		name: name, address: address, pids: pids, inFlight: connections, client: client,
		sender: func(calls []call) sender { return newHTTPSender(client, requestsOf(calls), answerSize) },
	}
}

// disconnect closes the connections of senders, which none may use any more.
func (t *target) disconnect() {
	if t.client != nil {
		t.client.CloseIdleConnections()
	}
}

func enforcing(t *target) *target {
	t.enforces = true
	return t
}

func (t *target) cpu() (used time.Duration) {
	for _, pid := range t.pids {
		used += cpuTime(pid)
	}
	return used
}

// gateway starts a gateway with one site per target.
func (l *lab) gateway(ctx context.Context, dir, name string, v variant, names ...string) (*process, []*target, error) {
	return l.gatewayWithAdmin(ctx, dir, name, "off", v, names...)
}

// gatewayWithAdmin is gateway with Caddy's admin API at an address, or off.
func (l *lab) gatewayWithAdmin(ctx context.Context, dir, name, admin string, v variant, names ...string) (*process, []*target, error) {
	addresses, err := freeAddresses(len(names))
	if err != nil {
		return nil, nil, err
	}
	all := make([]site, len(names))
	for i, key := range names {
		all[i] = sites[key]
		all[i].Address = addresses[i]
	}
	if dir, err = os.MkdirTemp(dir, name+"-"); err != nil {
		return nil, nil, err
	}
	config, err := l.writeGateway(dir, admin, v, all)
	if err != nil {
		return nil, nil, err
	}
	p, err := spawn(dir, name, v.environment(), v.program, "run", "--config", config)
	if err != nil {
		return nil, nil, err
	}
	if err := p.awaitListening(ctx, addresses...); err != nil {
		p.stop()
		return nil, nil, err
	}
	targets := make([]*target, len(names))
	for i, key := range names {
		targets[i] = newTarget(key, addresses[i], p.pid())
		targets[i].enforces = !all[i].plain
	}
	return p, targets, nil
}

func (v variant) environment() []string {
	return append([]string{"SCOPEGATE_BENCH_ADMIN_TOKEN=" + v.adminToken}, v.env...)
}

// stock starts stock Caddy.
func (l *lab) stock(ctx context.Context, dir, name string, tuned, authorized bool) (*process, *target, error) {
	values := map[string]any{"Upstream": l.upstream.Address, "Tuned": tuned, "Authorizer": ""}
	if authorized {
		values["Authorizer"] = l.authorizer.Address
	}
	return l.startStock(ctx, dir, name, nil, values)
}

// stockTo starts stock Caddy with its default settings, for a variant's workspace.
func (l *lab) stockTo(ctx context.Context, dir, name string, v variant) (*process, *target, error) {
	return l.startStock(ctx, dir, name, v.env, map[string]any{"Upstream": v.workspace, "Tuned": false, "Authorizer": ""})
}

func (l *lab) startStock(ctx context.Context, dir, name string, env []string, values map[string]any) (*process, *target, error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, nil, err
	}
	values["Port"] = site{Address: addresses[0]}.Port()
	if dir, err = os.MkdirTemp(dir, name+"-"); err != nil {
		return nil, nil, err
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := writeTemplate(caddyFile, config, values); err != nil {
		return nil, nil, err
	}
	p, err := spawn(dir, name, env, l.caddy, "run", "--config", config, "--adapter", "caddyfile")
	if err != nil {
		return nil, nil, err
	}
	if err := p.awaitListening(ctx, addresses...); err != nil {
		p.stop()
		return nil, nil, err
	}
	return p, newTarget(name, addresses[0], p.pid()), nil
}

// addNginx starts nginx with a server for each target, or skips them if it is not installed.
func (l *lab) addNginx(ctx context.Context, r *running, dir string, servers ...nginxServer) error {
	if l.nginx == "" {
		for _, s := range servers {
			r.skipped = append(r.skipped, s.Name)
		}
		return nil
	}
	return r.add(l.startNginx(ctx, dir, servers))
}

func (l *lab) startNginx(ctx context.Context, dir string, servers []nginxServer) (*process, []*target, error) {
	addresses, err := freeAddresses(len(servers))
	if err != nil {
		return nil, nil, err
	}
	for i := range servers {
		servers[i].Listen = addresses[i]
	}
	if dir, err = os.MkdirTemp(dir, "nginx-"); err != nil {
		return nil, nil, err
	}
	// If root starts nginx, its workers run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := writeTemplate(nginxFile, config, map[string]any{"Dir": dir, "Upstream": l.upstream.Address, "Servers": servers}); err != nil {
		return nil, nil, err
	}
	p, err := spawn(dir, "nginx", nil, l.nginx, "-p", dir, "-c", config)
	if err != nil {
		return nil, nil, err
	}
	if err := p.awaitListening(ctx, addresses...); err != nil {
		p.stop()
		return nil, nil, err
	}
	pids := append(children(p.pid()), p.pid())
	targets := make([]*target, len(servers))
	for i, s := range servers {
		targets[i] = newTarget(s.Name, s.Listen, slices.Concat(pids, s.pids)...)
		targets[i].enforces = s.enforces
	}
	return p, targets, nil
}

// stillDead reports whether the address of the dead receiver is still free.
func (l *lab) stillDead() bool {
	conn, err := net.DialTimeout("tcp", l.dead, time.Second)
	if err == nil {
		conn.Close()
	}
	return err != nil
}
