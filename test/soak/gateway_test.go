package soak

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// site is one address of the gateway, with the way from there to the workspace.
type site struct {
	name    string
	scheme  string
	listen  string
	network *relay.Relay
	quiet   bool // the network has no faults
	passes  passes
}

func (s *site) url() string { return "http://" + s.listen }

// gateway is the process, and the next ones that take its place at the same addresses.
type gateway struct {
	t       *testing.T
	sites   []*site
	times   times
	env     []string
	folder  string
	process *processtest.Process
	admin   *http.Client
	loads   int

	// stops are when listeners were closed, by the end of a process or a reload.
	stops []stop
}

// stop is a time in which a request that a client sent may not have been accepted.
type stop struct {
	from, to time.Time
	exit     bool
}

func newGateway(t *testing.T, sites []*site, times times, env ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, sites: sites, times: times, env: env, folder: harness.TempDir(t)}
	g.admin = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.socket())
		},
	}}
	return g
}

func (g *gateway) socket() string { return filepath.Join(g.folder, "admin.sock") }

// audit is the file that all processes append to. The gateway rolls it.
func (g *gateway) audit() string { return filepath.Join(g.folder, "audit.jsonl") }

// caddyfile is another configuration each time.
func (g *gateway) caddyfile() string {
	g.loads++
	var b strings.Builder
	fmt.Fprintf(&b, `{
	admin unix/%s
	persist_config off
	auto_https off
	storage file_system %s
	grace_period %s
	log default {
		level WARN
	}
	servers {
		protocols h1 h2c
	}
	databricks {
		audit {
			output file %s
			open_after %s
		}
	}
}
`, g.socket(), filepath.Join(g.folder, "storage"), g.times.grace, g.audit(), g.times.openAfter)
	for _, s := range g.sites {
		_, port, _ := net.SplitHostPort(s.listen)
		fmt.Fprintf(&b, `http://:%s {
	bind 127.0.0.1
	header X-Load %d
	databricks_gateway %s://%s {
		cache {
			ttl %s
			max_stale %s
			negative_ttl %s
		}
		lookup {
			rate 1000
			concurrency 64
			timeout 1s
		}
	}
}
`, port, g.loads, s.scheme, s.network.Addr(), g.times.ttl, g.times.stale, min(2*time.Second, g.times.ttl))
	}
	return b.String()
}

// start runs a process and waits until it listens.
func (g *gateway) start() {
	g.t.Helper()
	name := filepath.Join(g.folder, "Caddyfile")
	if err := os.WriteFile(name, []byte(g.caddyfile()), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.process = processtest.Launch(g.t, g.sites[0].listen, g.env, "scopegate", "run", "--config", name, "--adapter", "caddyfile")
	for _, s := range g.sites {
		g.process.AwaitListener(g.t, s.listen)
	}
}

// stop tells the process to end, and checks how it does.
func (g *gateway) stop() {
	g.t.Helper()
	told := time.Now()
	g.process.Signal(g.t, syscall.SIGTERM)
	code := g.process.Exit(g.t)
	took := time.Since(told)
	g.stops = append(g.stops, stop{told, time.Now(), true})
	g.t.Logf("%s told to end: exit code %d after %v", told.Format(clock), code, took.Round(time.Millisecond))
	if code != 0 || took > g.times.grace+slack {
		g.t.Errorf("exit code %d after %v, want 0 within %v\n%s", code, took, g.times.grace+slack, tail(g.process.Log.String()))
	}
	for _, word := range []string{"panic", "DATA RACE"} {
		if log := g.process.Log.String(); strings.Contains(log, word) {
			g.t.Errorf("the process printed:\n%s", tail(log))
			break
		}
	}
}

func tail(log string) string { return log[max(0, len(log)-20_000):] }

// reload loads another configuration.
func (g *gateway) reload() {
	g.t.Helper()
	begun := time.Now()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://localhost/load", strings.NewReader(g.caddyfile()))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	if status, body, err := g.ask(request); err != nil || status != http.StatusOK {
		g.t.Errorf("reload: %d %s %v", status, body, err)
	}
	g.stops = append(g.stops, stop{begun, time.Now(), false})
}

func (g *gateway) ask(request *http.Request) (status int, body string, err error) {
	response, err := g.admin.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// metrics returns what the process counts.
func (g *gateway) metrics() string {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://localhost/metrics", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	status, body, err := g.ask(request)
	if err != nil || status != http.StatusOK {
		g.t.Fatalf("metrics: %d %v", status, err)
	}
	return body
}

func (g *gateway) metric(name string) int {
	g.t.Helper()
	return int(harness.MetricIn(g.t, g.metrics(), name))
}
