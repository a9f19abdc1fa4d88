package audit

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// decisionCounters finds the counter of a decision without hashing its labels,
// which every request would pay for. There are a few dozen at most, and nearly all
// requests are counted by the one that is found first.
type decisionCounters struct {
	known atomic.Pointer[[]decisionCounter] // replaced when there is one more, never changed
}

type decisionCounter struct {
	decision judge.Decision
	reason   policy.Reason
	mode     string
	counter  prometheus.Counter
}

func (d *decisionCounters) of(vec *prometheus.CounterVec, decision judge.Decision, reason policy.Reason, mode string) prometheus.Counter {
	known := d.known.Load()
	if known != nil {
		for i := range *known {
			if c := &(*known)[i]; c.decision == decision && c.reason == reason && c.mode == mode {
				return c.counter
			}
		}
	}
	counter := vec.WithLabelValues(string(decision), string(reason), mode)
	var more []decisionCounter
	if known != nil {
		more = append(more, *known...)
	}
	more = append(more, decisionCounter{decision, reason, mode, counter})
	// Whoever adds another one at the same time goes first; this one is added later.
	d.known.CompareAndSwap(known, &more)
	return counter
}
