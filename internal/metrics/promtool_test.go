package metrics

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// TestPromtool lets Prometheus' own tool check the metrics as they are scraped.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not installed; it is in Debian's package prometheus")
		}
		t.Skip("promtool is not installed; it is in Debian's package prometheus")
	}
	registry, m := prometheus.NewPedanticRegistry(), New()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	countEverything(m)

	scraped := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
	for _, name := range []string{
		"scopegate_decisions_total{", "scopegate_lookups_total{", "scopegate_lookup_seconds_bucket{", "scopegate_cache_total{", "scopegate_facts_age_seconds_bucket{",
		"scopegate_unmapped_total ", "scopegate_audit_dropped_total{", "scopegate_ready ", "scopegate_syncs_total{", "scopegate_authority_up ",
	} {
		if !bytes.Contains(scraped.Body.Bytes(), []byte("\n"+name)) {
			t.Errorf("%s is missing", name)
		}
	}
	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = scraped.Body
	if output, err := command.CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, output)
	}
}
