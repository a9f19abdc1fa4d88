package audit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

func TestEveryRecordHasEveryField(t *testing.T) {
	for _, test := range []struct {
		name   string
		record Record
	}{
		{"nothing known", Record{}},
		{"refused", Record{Verdict: Deny, Reason: policy.MissingScope, Operation: &scopes.Operation{Name: "jobs.List"}}},
		{"everything", Record{
			Time: time.Now(), Method: "GET", Path: "/x", TokenID: "id", TokenScopes: []string{"jobs"}, FactsAge: time.Second, FactsSource: tokens.FromCache,
			Verdict: Allow, Enforced: true, Reason: policy.Permitted, Operation: &scopes.Operation{AnyOf: []string{"jobs"}}, Dropped: []string{"Cookie"}, Status: 200,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, lines := observer.New(zapcore.InfoLevel)
			Log(zap.New(core), &test.record)
			if lines.Len() != 1 {
				t.Fatalf("%d lines", lines.Len())
			}
			fields := lines.All()[0].ContextMap()
			for _, name := range FieldNames() {
				if _, ok := fields[name]; !ok {
					t.Errorf("the line lacks %s", name)
				}
			}
			if len(fields) != len(FieldNames()) {
				t.Errorf("%d fields, want %d", len(fields), len(FieldNames()))
			}
		})
	}
}

func TestClientsChooseNoLength(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, got := range map[string]string{"path": CutPath(long), "user agent": CutUserAgent(long)} {
		if len(got) > maxPath || !strings.HasSuffix(got, "…") {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if got := CutPath("/short"); got != "/short" {
		t.Errorf("a short path became %q", got)
	}
	names := cutNames(slices.Repeat([]string{long}, 1000))
	if len(names) != 17 || len(names[0]) > 64 || names[16] != "…" {
		t.Errorf("%d names of %d bytes", len(names), len(names[0]))
	}
}

func TestMetricsOutliveRegistries(t *testing.T) {
	record := Record{Verdict: Allow, Reason: policy.Permitted, FactsSource: tokens.FromCache, Operation: &scopes.Operation{}}
	var before float64
	for load := range 3 {
		registry := prometheus.NewPedanticRegistry()
		for range 2 { // two handlers of one configuration
			m, err := Register(registry)
			if err != nil {
				t.Fatal(err)
			}
			m.Count(&record, "enforce")
			m.CacheUsed("hit")
			m.CacheUsed("no such event")
			m.LookedUp("found", time.Millisecond)
			m.Synced("listed", 3, time.Second)
			m.AuthorityUp(load%2 == 0)
			m.AuditDropped("traces", 2)
			m.AuditDropped("no such sink", 1)
		}
		got := testutil.ToFloat64(metrics.decisions.WithLabelValues("allow", "permitted", "enforce"))
		if got != before+2 {
			t.Errorf("load %d: counted %g, want %g", load, got, before+2)
		}
		if got := testutil.ToFloat64(metrics.dropped.WithLabelValues("traces")); got != 2*(before+2) {
			t.Errorf("load %d: %g losses counted", load, got)
		}
		if got := testutil.CollectAndCount(metrics.dropped); got != 3 {
			t.Errorf("load %d: losses of %d sinks", load, got)
		}
		before = got
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
	}
	if _, err := Register(nil); err != nil {
		t.Errorf("without a registry: %v", err)
	}
}
