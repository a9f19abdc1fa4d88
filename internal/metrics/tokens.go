package metrics

import "time"

// CacheUsed counts a request by where its facts came from: hit, stale, negative or
// miss.
func (m *Metrics) CacheUsed(event string) { m.cacheEvents.add(event, 1) }

// LookedUp counts a lookup. The result is found, unknown, or the reason why there is
// no answer.
func (m *Metrics) LookedUp(result string, took time.Duration) {
	m.lookups.WithLabelValues(result).Inc()
	m.lookupTime.Observe(took.Seconds())
	switch result {
	case "found", "unknown":
		m.ready.Set(1)
	case "admin_rejected", "admin_not_configured", "id_rule_broken":
		m.ready.Set(0)
	}
}

// Synced counts a refresh of all tokens. The result is listed, or the reason why there
// is no list.
func (m *Metrics) Synced(result string, _ int, _ time.Duration) {
	m.syncs.WithLabelValues(result).Inc()
}

// AuthorityUp says whether token lookups work.
func (m *Metrics) AuthorityUp(up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.up.Set(value)
}
