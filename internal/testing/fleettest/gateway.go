package fleettest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// Gateway is one process of a fleet, and the next ones that take its place.
type Gateway struct {
	Name      string
	Setting   Setting // for the next start
	Listen    string  // host:port for clients
	AnswersAt string  // host:port for edges, of an authority
	Process   *processtest.Process

	rig              *Rig
	certificate, key string // files of an authority
	socket, storage  string
	client           *http.Client
	before           int // unanswered questions of processes that were stopped
}

// URL is where clients go.
func (g *Gateway) URL() string { return "http://" + g.Listen }

// Authority is where edges go.
func (g *Gateway) Authority() string {
	_, port, _ := net.SplitHostPort(g.AnswersAt)
	return "https://localhost:" + port
}

// Rig is what the process was made with.
func (g *Gateway) Rig() *Rig { return g.rig }

// Start runs the process and waits until it is ready.
func (g *Gateway) Start() {
	g.rig.t.Helper()
	g.Launch()
	g.AwaitReady()
}

// Launch runs the process.
func (g *Gateway) Launch() {
	t := g.rig.t
	t.Helper()
	name := filepath.Join(g.rig.Folder, g.Name, "Caddyfile")
	if err := os.WriteFile(name, []byte(g.Caddyfile()), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Process = processtest.Launch(t, g.Listen, nil, "scopegate", "run", "--config", name, "--adapter", "caddyfile")
}

// AwaitReady waits until the process listens and has found out that it can look up tokens.
func (g *Gateway) AwaitReady() {
	t := g.rig.t
	t.Helper()
	g.Process.AwaitListener(t, g.Listen)
	if g.AnswersAt != "" {
		g.Process.AwaitListener(t, g.AnswersAt)
	}
	g.Process.Await(t, "readiness of "+g.Name, func() bool { return g.Metric("scopegate_ready") == 1 })
}

// Stop ends the process as a deployment would, and checks how it ends.
func (g *Gateway) Stop() {
	t := g.rig.t
	t.Helper()
	g.before = g.Unanswered()
	g.Process.Signal(t, syscall.SIGTERM)
	if code := g.Process.Exit(t); code != 0 {
		t.Errorf("%s: exit code %d\n%s", g.Name, code, g.Process.Log)
	}
	g.client.CloseIdleConnections()
}

// Kill ends the process without a word.
func (g *Gateway) Kill() {
	t := g.rig.t
	t.Helper()
	g.Process.Signal(t, syscall.SIGKILL)
	g.Process.Exit(t)
	g.client.CloseIdleConnections()
}

// Control calls the admin API. Where the process does not answer, the status is 0.
func (g *Gateway) Control(method, path string) (status int, body string) {
	t := g.rig.t
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", g.socket)
	}
	client := &http.Client{Timeout: harness.Patience, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(content)
}

// Forget tells the gateway to forget a token, as scopes revoke does.
func (g *Gateway) Forget(id string) {
	g.rig.t.Helper()
	if status, body := g.Control(http.MethodDelete, "/databricks_scopes/tokens/"+id); status/100 != 2 {
		g.rig.t.Fatalf("%s: forgetting: %d %s", g.Name, status, body)
	}
}

// Metric returns the value of a series, 0 if it does not exist.
func (g *Gateway) Metric(series string) float64 {
	g.rig.t.Helper()
	_, text := g.Control(http.MethodGet, "/metrics")
	return harness.MetricIn(g.rig.t, text, series)
}

// Unanswered returns how many questions to the store had no answer in time, also those of
// processes that were stopped. On a machine that does more than it can there are some, and
// then a gateway asks the workspace by itself.
func (g *Gateway) Unanswered() int {
	g.rig.t.Helper()
	count := g.before
	_, text := g.Control(http.MethodGet, "/metrics")
	for _, series := range unanswered.FindAllString(text, -1) {
		count += int(harness.MetricIn(g.rig.t, text, series))
	}
	return count
}

var unanswered = regexp.MustCompile(`(?m)^scopegate_fleet_store_requests_total\{[^}]*result="(?:timeout|down)"\}`)

// Scopes runs a command of the command line against the gateway, as an administrator of the
// workspace, and returns what it printed.
func (g *Gateway) Scopes(args ...string) (said string, code int) {
	t := g.rig.t
	t.Helper()
	args = append([]string{"scopes"}, args...)
	args = append(args, "--address", "unix/"+g.socket)
	env := []string{"DATABRICKS_HOST=" + g.rig.Workspace.URL(), "DATABRICKS_TOKEN=" + g.rig.Workspace.AdminToken()}
	p := processtest.Launch(t, g.Listen, env, "scopegate", args...)
	code = p.Exit(t)
	return p.Log.String(), code
}
