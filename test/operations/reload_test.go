package operations

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

func TestReloadKeepsWhatIsKnown(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := func(options string) string {
		return harness.GatewayBlock(workspace, options)
	}
	g := harness.StartSite(t, workspace, gateway(""))
	token := g.Mint("jobs")
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
		t.Fatalf("before the reload: %d", got.StatusCode)
	}
	for _, test := range []struct {
		name, options, path string
		status, lookups     int
	}{
		{"unchanged configuration", "", harness.JobsList, 200, 1},
		{"a new rule applies at once", "mode observe", harness.ClustersList, 200, 1},
		{"removing it applies at once", "", harness.ClustersList, 403, 1},
		{"other limits", "lookup {\nrate 3\n}\ncache {\nsize 7\n}", harness.JobsList, 200, 1},
		{"a shorter ttl applies to cached tokens", "cache {\nttl 1ns\n}", harness.JobsList, 200, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.Load(t, gateway(test.options))
			if got := g.SendAfterReload(t, "GET", test.path, harness.Bearer(token.Value), test.status); got.StatusCode != test.status {
				t.Errorf("status %d, want %d", got.StatusCode, test.status)
			}
			if got := workspace.Lookups(); got != test.lookups {
				t.Errorf("%d look-ups in total, want %d", got, test.lookups)
			}
		})
	}
}

// TestReloadReadsRoutes: a changed routes file applies from the next reload.
func TestReloadReadsRoutes(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	write := func(scope string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("GET\t"+harness.UnmappedPath+"\t"+scope+"\tdocumented\tours.Get\tour wiki\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gateway := harness.GatewayBlock(workspace, "routes "+file)
	write("sql")
	g := harness.StartSite(t, workspace, gateway)
	token := g.Mint("jobs")
	if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 403 || !strings.Contains(got.Body, "scopes: sql") {
		t.Errorf("before: %d %s", got.StatusCode, got.Body)
	}
	write("jobs")
	g.Load(t, gateway)
	if got := g.SendAfterReload(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value), 404); got.StatusCode != 404 { // from the workspace
		t.Errorf("after: %d %s", got.StatusCode, got.Body)
	}
	write("jobs\tx\ty")
	if err := g.TryLoad(t, gateway); err == nil || !strings.Contains(err.Error(), "routes.tsv:1") {
		t.Errorf("malformed file: %v", err)
	}
	if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 404 {
		t.Errorf("a malformed file replaced the valid rules: %d", got.StatusCode)
	}
}

func TestReloadUnderLoad(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := harness.GatewayBlock(workspace, "")
	g := harness.StartSite(t, workspace, gateway)
	token := g.Mint("jobs")

	var answered atomic.Int64
	stop := keepAsking(t, g, harness.JobsList, token.Value, func(status int, err error) (more bool) {
		if err != nil {
			// Caddy swaps the listening socket on a reload, and the kernel resets
			// connections that wait on the old one. Clients reconnect.
			return true
		}
		answered.Add(1)
		if status != 200 {
			t.Errorf("status %d", status)
		}
		return status == 200
	})
	for i := range 10 {
		g.Load(t, gateway+fmt.Sprintf("\nheader X-Load %d", i))
		for served := answered.Load(); answered.Load() == served && !t.Failed(); {
			runtime.Gosched() // until this configuration has served a request too
		}
	}
	stop()
	if got := workspace.Lookups(); got != 1 {
		t.Errorf("%d look-ups, want 1: the cache was lost", got)
	}
}

// keepAsking asks a gateway for a path, by a few clients that each have connections of their
// own, until the function that it returns is called or answered says that it is enough.
func keepAsking(t *testing.T, g *harness.Gateway, path, token string, answered func(status int, err error) (more bool)) (stop func()) {
	t.Helper()
	var clients sync.WaitGroup
	stopped := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			for more := true; more; {
				select {
				case <-stopped:
					return
				default:
				}
				r, err := http.NewRequest("GET", g.URL+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				harness.Bearer(token)(r)
				answer, err := client.Do(r)
				if err != nil {
					more = answered(0, err)
					continue
				}
				answer.Body.Close()
				more = answered(answer.StatusCode, nil)
			}
		})
	}
	return func() {
		close(stopped)
		clients.Wait()
	}
}

// knownTokens returns how many tokens the gateway knows.
func knownTokens(t *testing.T, g *harness.Gateway) int {
	t.Helper()
	status, body := g.Admin(t, "GET", "/databricks_scopes/tokens")
	var answer struct {
		Known int `json:"known"`
	}
	if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	return answer.Known
}

// nothingLeft checks that no part of the gateway outlives its last handler.
func nothingLeft(t *testing.T, g *harness.Gateway) {
	t.Helper()
	if known := knownTokens(t, g); known != 0 {
		t.Errorf("%d tokens are still known", known)
	}
	if status, body := g.Admin(t, "GET", "/databricks_scopes/catalog"); status != 404 || !strings.Contains(body, "has no databricks_scopes handler") {
		t.Errorf("a handler remains: %d %s", status, body)
	}
	for _, pkg := range []string{"internal/tokens", "internal/usage", "internal/audit"} {
		harness.WaitFor(t, "the goroutines of "+pkg+" to end", func() bool { return harness.Goroutines(pkg) == 0 })
	}
}

func TestLastHandlerClosesTheResolver(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	gateway := harness.GatewayBlock(workspace, "")
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	if known := knownTokens(t, g); known != 1 {
		t.Fatalf("%d tokens are known, want 1", known)
	}
	g.Load(t, "respond ok")
	g.SendAfterReload(t, "GET", harness.JobsList, nil, 200)
	nothingLeft(t, g)
	g.Load(t, gateway)
	g.SendAfterReload(t, "GET", harness.JobsList, harness.Bearer(token.Value), 200)
	harness.WaitFor(t, "the token to be known again", func() bool {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
		return knownTokens(t, g) == 1
	})
	if got := workspace.Lookups(); got != 2 {
		t.Errorf("%d look-ups, want 2: the old cache still existed", got)
	}
}

// TestFailedProvisionLeavesNothing loads handlers whose provisioning fails at different
// points. Caddy cleans them up even so.
func TestFailedProvisionLeavesNothing(t *testing.T) {
	g := harness.StartSite(t, harness.StartWorkspace(t), "respond ok")
	for _, handler := range []string{
		`{"handler":"databricks_scopes","workspace":"ftp://x"}`,
		`{"handler":"databricks_scopes","workspace":"https://example.com","routes":"nowhere.tsv"}`,
		`{"handler":"databricks_scopes","workspace":"https://example.com","mode":"x"}`,
	} {
		g.Change = func(config []byte) []byte {
			before := []byte(`{"body":"ok","handler":"static_response"}`)
			if bytes.Count(config, before) != 1 {
				t.Fatalf("no place for the handler in %s", config)
			}
			return bytes.Replace(config, before, []byte(handler), 1)
		}
		if err := g.TryLoad(t, "respond ok"); err == nil {
			t.Errorf("%s was accepted", handler)
		}
		nothingLeft(t, g)
	}
}

func TestMetrics(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := "handle /metrics {\nmetrics\n}\nhandle {\n" + harness.GatewayBlock(workspace, "") + "\n}"
	g := harness.StartSite(t, workspace, gateway)
	token := g.Mint("jobs")
	series := func(name string) float64 {
		t.Helper()
		return harness.MetricIn(t, g.Send(t, "GET", "/metrics", nil).Body, name)
	}
	allowed := `scopegate_decisions_total{decision="allow",mode="enforce",reason="permitted"}`
	denied := `scopegate_decisions_total{decision="deny",mode="enforce",reason="missing_scope"}`
	names := []string{allowed, denied, "scopegate_unmapped_total", `scopegate_lookups_total{result="found"}`, `scopegate_cache_total{event="hit"}`, "scopegate_lookup_seconds_count", "scopegate_facts_age_seconds_count"}
	before := make(map[string]float64)
	for _, name := range names {
		before[name] = series(name)
	}
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value))
	g.Records(t, 3)
	g.Load(t, gateway) // counts survive reloads
	want := map[string]float64{
		allowed: 1, denied: 2, "scopegate_unmapped_total": 1, `scopegate_lookups_total{result="found"}`: 1,
		`scopegate_cache_total{event="hit"}`: 2, "scopegate_lookup_seconds_count": 1, "scopegate_facts_age_seconds_count": 3,
	}
	for _, name := range names {
		if got := series(name) - before[name]; got != want[name] {
			t.Errorf("%s grew by %g, want %g", name, got, want[name])
		}
	}
	if got := series("scopegate_ready"); got != 1 {
		t.Errorf("scopegate_ready is %g", got)
	}
}

func TestTwoSitesShareWhatIsKnown(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := harness.GatewayBlock(workspace, "")
	g := harness.StartSite(t, workspace, fmt.Sprintf("handle /api/2.2/* {\n%s\n}\nhandle {\n%s\n}", gateway, gateway))
	token := g.Mint("jobs", "clusters")
	for _, path := range []string{harness.JobsList, harness.ClustersList} {
		if got := g.Send(t, "GET", path, harness.Bearer(token.Value)); got.StatusCode != 200 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if got := workspace.Lookups(); got != 1 {
		t.Errorf("%d look-ups, want 1", got)
	}
}

// TestFailedReloadKeepsSettings: a configuration that could not start must not leave its
// settings to the one that goes on. Caddy starts apps in random order, hence the tries.
func TestFailedReloadKeepsSettings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "usage 1h")
	_, port, _ := net.SplitHostPort(g.Listen)
	g.Change = func(config []byte) []byte {
		return bytes.Replace(config, []byte(`":`+port+`"`), fmt.Appendf(nil, "%q", taken.Addr()), 1)
	}
	for range 8 {
		if err := g.TryLoad(t, harness.GatewayBlock(workspace, "usage off")); err == nil {
			t.Fatal("a port that is taken was accepted")
		}
		if harness.Goroutines("internal/usage") == 0 {
			t.Fatal("usage is no longer saved")
		}
	}
}
