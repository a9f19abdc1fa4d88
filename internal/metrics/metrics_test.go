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

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// countEverything adds a sample to every metric.
func countEverything(m *Metrics) {
	m.Decision("allow", "permitted", true)
	m.FactsAge(time.Second)
	m.Unmapped()
	m.CacheUsed("hit")
	a := m.NewAuthority()
	a.LookedUp("found", time.Millisecond)
	a.Down("unreachable")
	a.Close()
	m.Synced("listed", 3, time.Second)
	m.AuditDropped("traces", 2)
	f := m.NewFleet()
	f.StoreAsked("find", "ok", time.Millisecond)
	f.Published(fleet.TokenChanged)
	f.Acknowledged(time.Millisecond)
	f.LookupShared("found")
	f.Close()
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
	m := New()
	a := m.NewAuthority()
	for _, test := range []struct {
		result string
		ready  float64
	}{
		{string(tokens.TimedOut), 0},
		{"found", 1},
		{string(tokens.Rejected), 0},
		{"unknown", 1},
		{string(tokens.NotConfigured), 0},
		{"found", 1},
		{string(tokens.IDRuleBroken), 0},
		{string(tokens.TimedOut), 0}, // says nothing about the credential
		{"found", 1},
		{string(tokens.ServerError), 1},
		{string(tokens.Disabled), 0},
		{"found", 1},
		{"unusable", 1},
	} {
		a.LookedUp(test.result, time.Millisecond)
		if got := testutil.ToFloat64(m.ready); got != test.ready {
			t.Errorf("after %s: ready is %g, want %g", test.result, got, test.ready)
		}
	}
}

// TestAuthorities: the gauges are about all token services, so that one that works does
// not hide one that does not.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	m := New()
	check := func(when string, ready, up float64, down map[tokens.Outage]float64) {
		t.Helper()
		if got := testutil.ToFloat64(m.ready); got != ready {
			t.Errorf("%s: ready is %g, want %g", when, got, ready)
		}
		if got := testutil.ToFloat64(m.up); got != up {
			t.Errorf("%s: up is %g, want %g", when, got, up)
		}
		for _, outage := range tokens.Outages {
			if got := testutil.ToFloat64(m.downFor.WithLabelValues(string(outage))); got != down[outage] {
				t.Errorf("%s: %g are down because of %s, want %g", when, got, outage, down[outage])
			}
		}
		if got := testutil.CollectAndCount(m.downFor); got != len(tokens.Outages) {
			t.Errorf("%s: %d series, want %d", when, got, len(tokens.Outages))
		}
	}
	check("at first", 0, 1, nil)
	good, bad := m.NewAuthority(), m.NewAuthority()
	bad.LookedUp(string(tokens.HostNotFound), time.Millisecond)
	good.LookedUp("found", time.Millisecond)
	check("one has not worked yet", 0, 1, map[tokens.Outage]float64{tokens.HostNotFound: 1})
	bad.LookedUp("unknown", time.Millisecond)
	bad.LookedUp(string(tokens.TimedOut), time.Millisecond)
	check("one failed once", 1, 1, nil)
	bad.Down(string(tokens.TimedOut))
	good.LookedUp("found", time.Millisecond)
	check("one pauses", 1, 0, map[tokens.Outage]float64{tokens.TimedOut: 1})
	good.Down(string(tokens.TimedOut))
	check("both pause", 1, 0, map[tokens.Outage]float64{tokens.TimedOut: 2})
	good.Down("")
	bad.LookedUp(string(tokens.Rejected), time.Millisecond)
	bad.Down(string(tokens.Rejected))
	check("one is refused", 0, 0, map[tokens.Outage]float64{tokens.Rejected: 1})
	bad.Close()
	check("that one is gone", 1, 1, nil)
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
	_ tokens.SyncObserver = (*Authority)(nil)
	// The rest of tokens.Observer is for the log and events.
	_ interface {
		CacheUsed(event string)
		LookedUp(result string, took time.Duration)
	} = tokens.Observer(nil)
	_ interface {
		CacheUsed(event string)
		LookedUp(result string, took time.Duration)
	} = (*Authority)(nil)
)
