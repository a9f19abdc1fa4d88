package metrics

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Every decision is counted once, with its own labels, whatever is counted at the same
// time.
func TestDecisions(t *testing.T) {
	t.Parallel()
	m := New()
	decisions := []struct {
		decision, reason, mode string
		enforced               bool
	}{
		{"allow", "permitted", "enforce", true},
		{"allow", "permitted", "observe", false},
		{"deny", "missing_scope", "enforce", true},
		{"deny", "unknown_token", "enforce", true},
		{"public", "public_route", "enforce", true},
	}
	const workers, times = 8, 500
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := range times {
				d := decisions[i%len(decisions)]
				m.Decision(d.decision, d.reason, d.enforced)
			}
		})
	}
	working.Wait()
	for _, d := range decisions {
		counter := m.decisions.vec.WithLabelValues(d.decision, d.reason, d.mode)
		if got, want := testutil.ToFloat64(counter), float64(workers*times/len(decisions)); got != want {
			t.Errorf("%v was counted %v times, want %v", d, got, want)
		}
	}
	if n := len(*m.decisions.known.Load()); n != len(decisions) {
		t.Errorf("%d counters are remembered for %d decisions", n, len(decisions))
	}
}

// TestDecisionAllocatesNothing must not run in parallel: allocations are counted for
// the whole process.
func TestDecisionAllocatesNothing(t *testing.T) {
	m := New()
	m.Decision("deny", "missing_scope", true)
	if n := testing.AllocsPerRun(100, func() { m.Decision("deny", "missing_scope", true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecision(b *testing.B) {
	m := New()
	b.ReportAllocs()
	for b.Loop() {
		m.Decision("allow", "permitted", true)
	}
}
