package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestReloadKeepsWhatIsKnown(t *testing.T) {
	workspace := startWorkspace(t)
	gateway := func(options string) string {
		return fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.URL(), adminBlock, options)
	}
	h := startSite(t, workspace, gateway(""))
	token := h.mint("jobs")
	if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
		t.Fatalf("before the reload: %d", got.status)
	}
	for _, test := range []struct {
		name, options, path string
		status, lookups     int
	}{
		{"the same again", "", jobsList, 200, 1},
		{"a new rule holds at once", "mode observe", clustersList, 200, 1},
		{"and is gone at once", "", clustersList, 403, 1},
		{"other limits", "lookup {\nrate 3\n}\ncache {\nsize 7\n}", jobsList, 200, 1},
		{"a shorter ttl applies to what is known already", "cache {\nttl 1ns\n}", jobsList, 200, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.load(t, gateway(test.options))
			if got := h.sendAfterReload(t, "GET", test.path, bearer(token.Value), test.status); got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			if got := workspace.Lookups(); got != test.lookups {
				t.Errorf("%d look-ups in all, want %d", got, test.lookups)
			}
		})
	}
}

// TestReloadReadsRoutes changes a routes file, which holds from the next reload on.
func TestReloadReadsRoutes(t *testing.T) {
	workspace := startWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	write := func(scope string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("GET\t"+unmappedPath+"\t"+scope+"\tdocumented\tours.Get\tour wiki\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gateway := fmt.Sprintf("databricks_gateway %s {\n%sroutes %s\n}", workspace.URL(), adminBlock, file)
	write("sql")
	h := startSite(t, workspace, gateway)
	token := h.mint("jobs")
	if got := h.send(t, "GET", unmappedPath, bearer(token.Value)); got.status != 403 || !strings.Contains(got.body, "scopes: sql") {
		t.Errorf("before: %d %s", got.status, got.body)
	}
	write("jobs")
	h.load(t, gateway)
	if got := h.sendAfterReload(t, "GET", unmappedPath, bearer(token.Value), 404); got.status != 404 { // the workspace's own
		t.Errorf("after: %d %s", got.status, got.body)
	}
	write("jobs\tx\ty")
	adapted, err := adapt(":0 {\n" + gateway + "\n}")
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err == nil || !strings.Contains(err.Error(), "routes.tsv:1") {
		t.Errorf("a broken file: %v", err)
	}
	if got := h.send(t, "GET", unmappedPath, bearer(token.Value)); got.status != 404 {
		t.Errorf("a broken file took the good rules away: %d", got.status)
	}
}

func TestReloadUnderLoad(t *testing.T) {
	workspace := startWorkspace(t)
	gateway := fmt.Sprintf("databricks_gateway %s {\n%s\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, gateway)
	token := h.mint("jobs")

	stop := make(chan struct{})
	var (
		clients  sync.WaitGroup
		answered atomic.Int64
	)
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := http.NewRequest("GET", h.url+jobsList, nil)
				if err != nil {
					t.Error(err)
					return
				}
				bearer(token.Value)(r)
				answer, err := client.Do(r)
				if err != nil {
					// Caddy swaps the listening socket at a reload, and the kernel
					// resets what waits at the old one. Clients connect again.
					continue
				}
				answered.Add(1)
				answer.Body.Close()
				if answer.StatusCode != 200 {
					t.Errorf("status %d", answer.StatusCode)
					return
				}
			}
		})
	}
	for i := range 10 {
		h.load(t, gateway+fmt.Sprintf("\nheader X-Load %d", i))
		for served := answered.Load(); answered.Load() == served && !t.Failed(); {
			runtime.Gosched() // until this configuration has answered too
		}
	}
	close(stop)
	clients.Wait()
	if got := workspace.Lookups(); got != 1 {
		t.Errorf("%d look-ups, want 1: the cache was lost", got)
	}
}

func TestLastUserClosesTheResolver(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "")
	key := authorityKey{workspace: workspace.URL(), admin: Admin{ClientID: "{env.TEST_ADMIN_ID}", ClientSecret: "{env.TEST_ADMIN_SECRET}"}}
	key.timeout = (&Handler{}).settings().Timeout
	if users, ok := authorities.References(key); !ok || users != 1 {
		t.Fatalf("%d users, %t", users, ok)
	}
	h.load(t, "respond ok")
	if users, ok := authorities.References(key); ok {
		t.Errorf("%d users are left", users)
	}
}

// TestFailedProvisionLeavesNothing loads handlers whose provisioning fails at
// different points; Caddy cleans them up all the same.
func TestFailedProvisionLeavesNothing(t *testing.T) {
	for _, config := range []string{
		`{"workspace":"ftp://x"}`,
		`{"workspace":"https://example.com","routes":"nowhere.tsv"}`,
		`{"workspace":"https://example.com","mode":"x"}`,
	} {
		if err := validateHandler(t, config); err == nil {
			t.Errorf("%s was accepted", config)
		}
	}
	if handlers := live.list(); len(handlers) > 0 {
		t.Errorf("%d handlers are left alive", len(handlers))
	}
	authorities.Range(func(key, _ any) bool {
		t.Errorf("%v is left in the pool", key)
		return true
	})
}

func TestMetrics(t *testing.T) {
	workspace := startWorkspace(t)
	gateway := fmt.Sprintf("handle /metrics {\nmetrics\n}\nhandle {\ndatabricks_gateway %s {\n%s\n}\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, gateway)
	token := h.mint("jobs")
	series := func(name string) float64 {
		t.Helper()
		for line := range strings.Lines(h.send(t, "GET", "/metrics", nil).body) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				var value float64
				if _, err := fmt.Sscan(rest, &value); err != nil {
					t.Fatal(err)
				}
				return value
			}
		}
		return 0
	}
	allowed := `scopegate_decisions_total{decision="allow",mode="enforce",reason="permitted"}`
	denied := `scopegate_decisions_total{decision="deny",mode="enforce",reason="missing_scope"}`
	names := []string{allowed, denied, "scopegate_unmapped_total", `scopegate_lookups_total{result="found"}`, `scopegate_cache_total{event="hit"}`, "scopegate_lookup_seconds_count", "scopegate_facts_age_seconds_count"}
	before := make(map[string]float64)
	for _, name := range names {
		before[name] = series(name)
	}
	h.send(t, "GET", jobsList, bearer(token.Value))
	h.send(t, "GET", clustersList, bearer(token.Value))
	h.send(t, "GET", unmappedPath, bearer(token.Value))
	h.records(t, 3)
	h.load(t, gateway) // counts survive reloads
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
	workspace := startWorkspace(t)
	gateway := fmt.Sprintf("databricks_gateway %s {\n%s\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, fmt.Sprintf("handle /api/2.2/* {\n%s\n}\nhandle {\n%s\n}", gateway, gateway))
	token := h.mint("jobs", "clusters")
	for _, path := range []string{jobsList, clustersList} {
		if got := h.send(t, "GET", path, bearer(token.Value)); got.status != 200 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := workspace.Lookups(); got != 1 {
		t.Errorf("%d look-ups, want 1", got)
	}
}
