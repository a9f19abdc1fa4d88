package metrics

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/scopegate/scopegate/internal/tokens"
)

// countEverything adds a sample to every metric.
func countEverything(m *Metrics) {
	m.Decision("allow", "permitted", true)
	m.FactsAge(time.Second)
	m.Unmapped()
	m.CacheUsed("hit")
	m.LookedUp("found", time.Millisecond)
	m.Synced("listed", 3, time.Second)
	m.AuthorityUp(true)
	m.AuditDropped("traces", 2)
}

// Other tests must not count with the metrics of the process.
func TestMetricsOutliveRegistries(t *testing.T) {
	t.Parallel()
	for load := range 3 {
		registry := prometheus.NewPedanticRegistry()
		for range 2 { // two handlers of one configuration
			m, err := Register(registry)
			if err != nil {
				t.Fatal(err)
			}
			countEverything(m)
			m.CacheUsed("no such event")
			m.AuditDropped("no such sink", 1)
		}
		want := float64(2 * (load + 1))
		if got := testutil.ToFloat64(process.decisions.vec.WithLabelValues("allow", "permitted", "enforce")); got != want {
			t.Errorf("load %d: counted %g, want %g", load, got, want)
		}
		if got := testutil.ToFloat64(process.dropped["traces"]); got != 2*want {
			t.Errorf("load %d: %g losses counted, want %g", load, got, 2*want)
		}
		for name, want := range map[string]int{"scopegate_audit_dropped_total": 4, "scopegate_audit_queue": 3, "scopegate_cache_total": 4} {
			if got, err := testutil.GatherAndCount(registry, name); err != nil || got != want {
				t.Errorf("load %d: %d series of %s, want %d: %v", load, got, name, want, err)
			}
		}
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
	}
	if m, err := Register(nil); err != nil || m != process {
		t.Errorf("without a registry: %v", err)
	}
}

// TestAuditQueue: the gauge shows what waits now, in all queues of a sink.
func TestAuditQueue(t *testing.T) {
	t.Parallel()
	m, first := New(), 3
	remove := m.AuditQueue("output", func() int { return first })
	m.AuditQueue("output", func() int { return 10 })
	m.AuditQueue("no such sink", func() int { return 1 })()
	check := func(want string) {
		t.Helper()
		registry := prometheus.NewPedanticRegistry()
		if err := m.Register(registry); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, family := range families {
			if family.GetName() == "scopegate_audit_queue" {
				for _, series := range family.GetMetric() {
					got += fmt.Sprintf("%s %g ", series.GetLabel()[0].GetValue(), series.GetGauge().GetValue())
				}
			}
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("logs 0 output 13 traces 0 ")
	first = 5
	check("logs 0 output 15 traces 0 ")
	remove()
	check("logs 0 output 10 traces 0 ")
}

// TestReady holds the results that change scopegate_ready equal to those of tokens,
// which this package does not import.
func TestReady(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		result string
		ready  float64
	}{
		{"found", 1},
		{string(tokens.Rejected), 0},
		{"unknown", 1},
		{string(tokens.NotConfigured), 0},
		{"found", 1},
		{string(tokens.IDRuleBroken), 0},
		{string(tokens.TimedOut), 0},
		{"found", 1},
		{string(tokens.ServerError), 1},
	} {
		t.Run(test.result, func(t *testing.T) {
			before := 1 - test.ready
			if test.result == string(tokens.TimedOut) || test.result == string(tokens.ServerError) {
				before = test.ready // says nothing about the credential
			}
			m := New()
			m.ready.Set(before)
			m.LookedUp(test.result, time.Millisecond)
			if got := testutil.ToFloat64(m.ready); got != test.ready {
				t.Errorf("ready is %g, want %g", got, test.ready)
			}
		})
	}
}

// descPattern matches what a collector says about itself.
var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .* variableLabels: \{(.*)\}\}$`)

// TestDocumentation checks that users can read about every metric, in the form
// name{label,label}.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, page := range append(pages, "../../README.md") {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	for _, collector := range New().collectors {
		descs := make(chan *prometheus.Desc, 1)
		collector.Describe(descs)
		found := descPattern.FindStringSubmatch((<-descs).String())
		if found == nil {
			t.Fatal("this version of Prometheus' client describes metrics in another form")
		}
		form := "`" + found[1] + "`"
		if found[2] != "" {
			form = fmt.Sprintf("`%s{%s}`", found[1], found[2])
		}
		if !strings.Contains(text.String(), form) {
			t.Errorf("neither README.md nor docs mentions %s", form)
		}
	}
}

// Interface guards
var (
	_ tokens.SyncObserver = (*Metrics)(nil)
	// The rest of tokens.Observer is for the log and events, see AuthorityUp.
	_ interface {
		CacheUsed(event string)
		LookedUp(result string, took time.Duration)
	} = tokens.Observer(nil)
	_ interface {
		CacheUsed(event string)
		LookedUp(result string, took time.Duration)
	} = (*Metrics)(nil)
)
