package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// fleetLab holds the processes around the edges: a workspace, Redis and authorities.
type fleetLab struct {
	dir         string
	program     string // the gateway
	workspace   *fakeworkspace.Workspace
	redisAt     string
	redis       *process
	authorities []*authority
	edgeToken   string // file
	trust       string // file with the certificate authorities of all authorities
}

// authority is a real gateway process that answers edges.
type authority struct {
	*process
	name, dir, config string
	port              int // for edges
	admin             *http.Client
	trust             string // file with the root of its certificate
}

// fleetFile is the configuration of an authority. Limits are such that edges that all come
// from one address are not held back: measured is what it costs, not what is allowed.
var fleetFile = template.Must(template.New("Caddyfile").Parse(`{
	admin unix/{{ .Dir }}/admin.sock
	persist_config off
	skip_install_trust
	storage file_system {{ .Dir }}/storage
	auto_https disable_redirects
	grace_period 1s
	log default {
		level ERROR
	}
	databricks {
		workspace prod {{ .Workspace }} {
			admin {
				token {file.{{ .AdminToken }}}
			}
			fleet redis://{{ .Redis }}/0 {
				key {file.{{ .Key }}}
			}
			cache {
				ttl 1h
			}
			lookup {
				rate 1000
				concurrency 64
			}
		}
	}
}
https://localhost:{{ .Port }} {
	bind 127.0.0.1
	tls internal
	databricks_authority {
		workspace prod
		token {file.{{ .EdgeToken }}}
		limits {
			rate 1000
			unknown 1000
		}
	}
}
`))

func startFleetLab(ctx context.Context, dir string) (_ *fleetLab, err error) {
	l := &fleetLab{dir: dir, program: filepath.Join(dir, "scopegate")}
	defer func() {
		if err != nil {
			l.stop()
		}
	}()
	root, err := repository()
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", l.program, "./cmd/scopegate")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the gateway: %w: %s", err, said)
	}
	l.workspace = fakeworkspace.New(fakeworkspace.WithMaxRequestLog(1))
	if err := l.workspace.Start(); err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(3)
	if err != nil {
		return nil, err
	}
	l.redisAt = addresses[0]
	if err := l.startRedis(ctx); err != nil {
		return nil, err
	}
	secrets := map[string]string{"admin.token": l.workspace.AdminToken(), "fleet.key": randomKey(), "edge.token": randomKey()}
	for name, value := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			return nil, err
		}
	}
	l.edgeToken = filepath.Join(dir, "edge.token")
	for i, address := range addresses[1:] {
		a, err := l.newAuthority(fmt.Sprintf("authority-%d", i+1), address)
		if err != nil {
			return nil, err
		}
		l.authorities = append(l.authorities, a)
		if err := a.start(ctx, l.program); err != nil {
			return nil, err
		}
	}
	l.trust = filepath.Join(dir, "trust.pem")
	return l, l.collectTrust()
}

// collectTrust puts the roots of all authorities into one file, as each has its own.
func (l *fleetLab) collectTrust() error {
	var all []byte
	for _, a := range l.authorities {
		root, err := os.ReadFile(a.trust)
		if err != nil {
			return err
		}
		all = append(all, root...)
	}
	return os.WriteFile(l.trust, all, 0o600)
}

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return hex.EncodeToString(key)
}

// startRedis starts a server that keeps nothing on disk.
func (l *fleetLab) startRedis(ctx context.Context) error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return fmt.Errorf("there is no redis-server: %w; on Debian: apt-get install redis-server", err)
	}
	_, port, err := net.SplitHostPort(l.redisAt)
	if err != nil {
		return err
	}
	if l.redis, err = spawn(l.dir, "redis", nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"); err != nil {
		return err
	}
	return l.redis.awaitListening(ctx, l.redisAt)
}

func (l *fleetLab) newAuthority(name, address string) (*authority, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	a := &authority{name: name, dir: dir, config: filepath.Join(dir, "Caddyfile")}
	if _, err := fmt.Sscan(port, &a.port); err != nil {
		return nil, err
	}
	a.trust = filepath.Join(dir, "storage", "pki", "authorities", "local", "root.crt")
	a.admin = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
		},
	}}
	return a, writeTemplate(fleetFile, a.config, map[string]any{
		"Dir": dir, "Port": a.port, "Workspace": l.workspace.URL(), "Redis": l.redisAt, "EdgeToken": l.edgeToken,
		"AdminToken": filepath.Join(l.dir, "admin.token"), "Key": filepath.Join(l.dir, "fleet.key"),
	})
}

func (a *authority) address() string { return fmt.Sprintf("127.0.0.1:%d", a.port) }

// start runs the process and waits until it answers edges with its certificate.
func (a *authority) start(ctx context.Context, program string) (err error) {
	if a.process, err = spawn(a.dir, a.name, nil, program, "run", "--config", a.config, "--adapter", "caddyfile"); err != nil {
		return err
	}
	if err := a.awaitListening(ctx, a.address()); err != nil {
		return err
	}
	return within(ctx, startTimeout, a.name+" to have a certificate", func() bool {
		_, err := os.Stat(a.trust)
		return err == nil
	})
}

func (a *authority) kill() {
	_ = a.cmd.Process.Signal(syscall.SIGKILL)
	<-a.exited
	a.admin.CloseIdleConnections()
}

// forget tells the authority to forget a token, as scopes revoke does.
func (a *authority) forget(ctx context.Context, id string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://localhost/databricks_scopes/tokens/"+id, nil)
	if err != nil {
		return err
	}
	response, err := a.admin.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s: %s", a.name, response.Status, said)
	}
	return err
}

// cost is what the authorities use together.
func (l *fleetLab) cost() (cpu time.Duration, resident int64) {
	for _, a := range l.authorities {
		cpu += cpuTime(a.pid())
		resident += memory(a.pid(), "RssAnon")
	}
	return cpu, resident
}

func (l *fleetLab) stop() {
	for _, a := range l.authorities {
		if a.process != nil {
			a.process.stop()
		}
	}
	if l.redis != nil {
		l.redis.stop()
	}
	if l.workspace != nil {
		l.workspace.Close()
	}
}

// within waits until something is so.
func within(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	deadline := time.Now().Add(limit)
	for !done() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v for %s", limit, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}
