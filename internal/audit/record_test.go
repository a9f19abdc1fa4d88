package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

func TestEveryRecordHasEveryField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		record Record
	}{
		{"nothing known", Record{}},
		{"refused", Record{Judgement: judge.Judgement{Decision: judge.Deny, Reason: policy.MissingScope, Operation: &scopes.Operation{Name: "jobs.List"}}}},
		{"everything", Record{
			Time: time.Now(), Method: "GET", Path: "/x", TokenID: "id", Dropped: []string{"Cookie"}, Status: 200,
			Judgement: judge.Judgement{
				Held: []string{"jobs"}, FactsAge: time.Second, Facts: tokens.Facts{Source: tokens.FromCache},
				Decision: judge.Allow, Enforced: true, Reason: policy.Permitted, Operation: &scopes.Operation{AnyOf: []string{"jobs"}},
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, lines := observer.New(zapcore.InfoLevel)
			NewLogger(zap.New(core), lossesOf(SinkLog, new(told))).Write(&test.record)
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

// TestRehearsedRefusalsAreNotCountedAsEnforced: a policy may be rehearsed by a handler
// that enforces all others.
func TestRehearsedRefusalsAreNotCountedAsEnforced(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for _, mode := range []string{"enforce", "observe"} {
		r := Record{Judgement: judge.Judgement{Decision: judge.Deny, Reason: policy.PolicyDenied, Enforced: mode == "enforce"}}
		r.Count(m)
		got := counters(t, m)
		if n := got["scopegate_decisions_total deny "+mode+" policy_denied"]; n != 1 {
			t.Errorf("mode %s counted %g", mode, n)
		}
	}
}

// counters returns what metrics count, by name and the values of labels.
func counters(t *testing.T, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, family := range families {
		for _, series := range family.GetMetric() {
			words := []string{family.GetName()}
			for _, label := range series.GetLabel() { // sorted by name
				words = append(words, label.GetValue())
			}
			counts[strings.Join(words, " ")] = series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount())
		}
	}
	return counts
}

func TestRecordsAreCounted(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	r := Record{Judgement: judge.Judgement{
		Decision: judge.Allow, Enforced: true, Reason: policy.Permitted, Facts: tokens.Facts{Source: tokens.FromCache}, FactsAge: time.Second,
		Operation: &scopes.Operation{Evidence: scopes.Unmapped},
	}}
	r.Count(m)
	brief := Record{Judgement: judge.Judgement{Decision: judge.Deny, Reason: policy.AmbiguousRequest}}
	brief.Count(m)
	got := counters(t, m)
	for name, want := range map[string]float64{
		"scopegate_decisions_total allow enforce permitted":        1,
		"scopegate_decisions_total deny observe ambiguous_request": 1,
		"scopegate_unmapped_total":                                 1,
		"scopegate_facts_age_seconds":                              1, // facts were known of one request
	} {
		if got[name] != want {
			t.Errorf("%s: counted %g, want %g", name, got[name], want)
		}
	}
}
