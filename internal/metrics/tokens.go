package metrics

import "time"

// CacheUsed counts a request by where its facts came from: hit, stale, negative or
// miss.
func (m *Metrics) CacheUsed(event string) { m.cacheEvents.add(event, 1) }

// Synced counts a refresh of all tokens. The result is listed, or the reason why there
// is no list.
func (m *Metrics) Synced(result string, _ int, _ time.Duration) {
	m.syncs.WithLabelValues(result).Inc()
}
