package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Decision counts one decision. Enforced is false for a refusal that was only
// recorded, and for every request in mode observe.
func (m *Metrics) Decision(decision, reason string, enforced bool) {
	m.decisions.of(decision, reason, enforced).Inc()
}

// Optional counts the refusal of an operation that clients go on without, in the place of
// Decision.
func (m *Metrics) Optional(enforced bool) { m.optional.add(mode(enforced), 1) }

// FactsAge notes how old the facts were that a decision was based on.
func (m *Metrics) FactsAge(age time.Duration) { m.factsAge.Observe(age.Seconds()) }

// Unmapped counts a request for a path that is not in the catalog.
func (m *Metrics) Unmapped() { m.unmapped.Inc() }

// MapDisagreement counts an answer of the workspace that disagrees with the map about an
// operation, by the operation's name in the catalog.
func (m *Metrics) MapDisagreement(operation string) { m.disagreements.of(operation).Inc() }

// Outcome counts a request that has ended.
func (m *Metrics) Outcome(outcome string) { m.outcomes.add(outcome, 1) }

// Open adds to the number of requests that have left a record and go on.
func (m *Metrics) Open(n int) { m.open.Add(float64(n)) }

// decisionCounters finds the counter of a decision without hashing its labels, which
// every request would pay for. There are a few dozen at most, and the first one found
// counts nearly all requests.
type decisionCounters struct {
	vec   *prometheus.CounterVec
	known atomic.Pointer[[]decisionCounter] // replaced when there is a new one, never changed
}

type decisionCounter struct {
	decision, reason string
	enforced         bool
	counter          prometheus.Counter
}

// mode names the two kinds of decisions.
func mode(enforced bool) string {
	if enforced {
		return "enforce"
	}
	return "observe"
}

func (d *decisionCounters) of(decision, reason string, enforced bool) prometheus.Counter {
	known := d.known.Load()
	if known != nil {
		for i := range *known {
			if c := &(*known)[i]; c.decision == decision && c.reason == reason && c.enforced == enforced {
				return c.counter
			}
		}
	}
	counter := d.vec.WithLabelValues(decision, reason, mode(enforced))
	var more []decisionCounter
	if known != nil {
		more = append(more, *known...)
	}
	more = append(more, decisionCounter{decision, reason, enforced, counter})
	// If another goroutine adds one at the same time, that one is kept, and this one is
	// added by a later call.
	d.known.CompareAndSwap(known, &more)
	return counter
}
