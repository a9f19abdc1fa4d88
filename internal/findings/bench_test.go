package findings

import (
	"testing"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// BenchmarkEvaluate is one evaluation of a workspace with 10,000 tokens, half of which were
// seen: the report that it starts from, the judgement, and the document that is compared with
// the one that is saved.
func BenchmarkEvaluate(b *testing.B) {
	const n = 10_000
	state := usage.State{Since: now.Add(-200 * days)}
	var listed []usage.ListedToken
	for i := range n {
		token := fine(i)
		switch i % 4 {
		case 0:
			token.Scopes = nil
		case 1:
			token.NeverExpires = true
		case 2:
			token.Scopes = []string{"jobs", "sql", "clusters"}
		}
		listed = append(listed, token)
		if i%2 == 0 {
			state.Tokens = append(state.Tokens, calls(i, 5, func(t *usage.Token) { t.Denied = uint64(i % 50) }))
		}
	}
	gone := func(id int64) (bool, bool) { return false, true }
	var report usage.Report
	b.Run("report", func(b *testing.B) {
		for b.Loop() {
			report = usage.NewReport(state, listed, now)
		}
	})
	report = usage.NewReport(state, listed, now)
	drift := usage.NewDrift(nil, scopes.Default(), now)
	s := newStates()
	b.Run("findings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e := evaluate(&Input{Report: report, Drift: drift, OwnerGone: gone}, Thresholds{}, workspaceURL, now)
			s.apply(&e, now)
		}
	})
	b.Run("document", func(b *testing.B) {
		for b.Loop() {
			data, err := marshal(&s, "w")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := unmarshal(data, "w"); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(data)), "bytes")
			b.ReportMetric(float64(len(s.findings)), "findings")
		}
	})
}
