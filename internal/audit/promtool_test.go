package audit

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// TestPromtool lets Prometheus' own tool judge the metrics as they are scraped.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not installed; it is in Debian's package prometheus")
		}
		t.Skip("promtool is not installed; it is in Debian's package prometheus")
	}
	registry := prometheus.NewPedanticRegistry()
	m, err := Register(registry)
	if err != nil {
		t.Fatal(err)
	}
	m.Count(&Record{Judgement: judge.Judgement{Decision: judge.Allow, Reason: policy.Permitted, Facts: tokens.Facts{Source: tokens.FromCache}}})
	m.CacheUsed("hit")
	m.LookedUp("found", time.Millisecond)
	m.Synced("listed", 1, time.Second)
	m.AuditDropped(SinkTraces, 1)

	scraped := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
	for _, name := range []string{
		"scopegate_decisions_total{", "scopegate_lookups_total{", "scopegate_lookup_seconds_bucket{", "scopegate_cache_total{", "scopegate_facts_age_seconds_bucket{",
		"scopegate_unmapped_total ", "scopegate_audit_dropped_total{", "scopegate_ready ",
	} {
		if !bytes.Contains(scraped.Body.Bytes(), []byte("\n"+name)) {
			t.Errorf("there is no %s", name)
		}
	}
	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = scraped.Body
	if said, err := command.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
}
