package audit

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// Every decision is counted once, under its own labels, whoever counts at the same
// time.
func TestDecisionCounters(t *testing.T) {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x"}, []string{"decision", "reason", "mode"})
	var counters decisionCounters
	decisions := []struct {
		verdict judge.Decision
		reason  policy.Reason
		mode    string
	}{
		{judge.Allow, policy.Permitted, "enforce"},
		{judge.Allow, policy.Permitted, "observe"},
		{judge.Deny, policy.MissingScope, "enforce"},
		{judge.Deny, policy.UnknownToken, "enforce"},
		{judge.Public, policy.PublicRoute, "enforce"},
	}
	const workers, times = 8, 500
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := range times {
				d := decisions[i%len(decisions)]
				counters.of(vec, d.verdict, d.reason, d.mode).Inc()
			}
		})
	}
	working.Wait()
	for _, d := range decisions {
		counter := vec.WithLabelValues(string(d.verdict), string(d.reason), d.mode)
		if got, want := testutil.ToFloat64(counter), float64(workers*times/len(decisions)); got != want {
			t.Errorf("%v was counted %v times instead of %v", d, got, want)
		}
	}
	if n := len(*counters.known.Load()); n != len(decisions) {
		t.Errorf("%d counters are remembered for %d decisions", n, len(decisions))
	}
	first := decisions[0]
	if n := testing.AllocsPerRun(100, func() { counters.of(vec, first.verdict, first.reason, first.mode).Inc() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
