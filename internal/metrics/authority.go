package metrics

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// downReasons are the reasons why look-ups of tokens fail. A series for each exists from
// the start.
var downReasons = []string{
	"unreachable", "host_not_found", "tls_failed", "timeout", "throttled", "server_error", "admin_rejected",
	"admin_not_configured", "tokens_disabled", "bad_answer", "overloaded", "paused", "id_rule_broken", "closed", "untried",
	"authority_unreachable", "authority_rejected", "edge_refused", "too_old", "no_list",
}

// Authority is what the metrics know of one token service. There may be several: one for
// each workspace, and for a moment two of one workspace when its credential changes.
type Authority struct {
	*Metrics

	// Guarded by Metrics.mu.
	worked  bool
	refused bool   // the admin credential is not accepted
	last    string // why the last look-up failed, or empty
	down    string // why look-ups pause, or empty
}

// unusableKinds are the kinds of answers about one token that cannot be used.
var unusableKinds = []string{
	"duplicate_name", "wrong_type", "out_of_range", "missing_facts", "other_token", "contradiction", "unknown_expiry",
	"bad_answer", "server_error", "token_refused", "throttled", "timeout", "unreachable",
	"authority_unreachable",
}

// NewAuthority starts to watch a token service. Close it.
func (m *Metrics) NewAuthority() *Authority {
	a := &Authority{Metrics: m}
	a.change(func() { m.authorities[a] = struct{}{} })
	return a
}

// Close forgets the token service.
func (a *Authority) Close() { a.change(func() { delete(a.authorities, a) }) }

// LookedUp counts a look-up. The result is found, unknown, unusable (while others can be
// used), or the reason why there is no answer.
func (a *Authority) LookedUp(result string, took time.Duration) {
	a.lookups.WithLabelValues(result).Inc()
	a.lookupTime.Observe(took.Seconds())
	a.change(func() {
		switch result {
		case "found", "unknown":
			a.worked, a.refused, a.last = true, false, ""
		case "unusable": // concerns one token only
		case "admin_rejected", "admin_not_configured", "id_rule_broken", "tokens_disabled":
			a.refused, a.last = true, result
		default: // says nothing about the credential
			a.last = result
		}
	})
}

// Unusable counts answers about single tokens that cannot be used, by their kind.
func (a *Authority) Unusable(kind string, answers int) { a.unusable.add(kind, answers) }

// Down says why look-ups pause, or by an empty reason that they work.
func (a *Authority) Down(reason string) { a.change(func() { a.down = reason }) }

// change changes something and recomputes the gauges, which are about all token
// services together.
func (a *Authority) change(do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	do()
	ready, up := len(a.authorities) > 0, true
	counts := make(map[string]float64)
	for each := range maps.Keys(a.authorities) {
		ready = ready && each.worked && !each.refused
		up = up && each.down == ""
		switch {
		case each.down != "":
			counts[each.down]++
		case each.last != "" && (!each.worked || each.refused):
			counts[each.last]++
		}
	}
	set(a.ready, ready)
	set(a.up, up)
	for _, reason := range downReasons {
		a.downFor.WithLabelValues(reason).Set(counts[reason])
	}
}

func set(gauge prometheus.Gauge, on bool) {
	value := 0.0
	if on {
		value = 1
	}
	gauge.Set(value)
}
