package audit

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/tokens"
)

// Metrics are scopegate's metrics. All labels come from closed sets: nothing that
// a client chooses can add a series.
type Metrics struct {
	decisions   *prometheus.CounterVec
	lookups     *prometheus.CounterVec
	lookupTime  prometheus.Histogram
	cacheEvents *prometheus.CounterVec
	factsAge    prometheus.Histogram
	unmapped    prometheus.Counter
	ready       prometheus.Gauge
	up          prometheus.Gauge
	syncs       *prometheus.CounterVec
	dropped     *prometheus.CounterVec

	// cacheEvent are the counters of cacheEvents, found once: they count on the way
	// of every request.
	cacheEvent map[string]prometheus.Counter
	decision   decisionCounters // those of decisions
	// dropsOf are the counters of dropped, by sink. They are there before anything is
	// lost: the first loss is then an increase, which an alert can see.
	dropsOf map[string]prometheus.Counter
}

// metrics live as long as the process. Caddy makes a new registry for every
// configuration; collectors that are made once and registered with each of them
// keep their counts over reloads.
var metrics = newMetrics()

func newMetrics() *Metrics {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scopegate_decisions_total",
			Help: "Requests judged, by decision (allow, deny, public), reason and mode (enforce, or observe for what was only rehearsed).",
		}, []string{"decision", "reason", "mode"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scopegate_lookups_total",
			Help: "Look-ups of tokens with the workspace's Token Management API, by result.",
		}, []string{"result"}),
		lookupTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scopegate_lookup_seconds",
			Help:    "How long look-ups took, from their turn to the answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		cacheEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scopegate_cache_total",
			Help: "Requests by how the facts about their token were had: hit, stale, negative or miss.",
		}, []string{"event"}),
		factsAge: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scopegate_facts_age_seconds",
			Help:    "Age of the facts that decisions were based on.",
			Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 900, 3600},
		}),
		unmapped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scopegate_unmapped_total",
			Help: "Requests for a path that is not in the catalogue and so needs all-apis.",
		}),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "scopegate_ready",
			Help: "1 when the admin credential has worked and is not now rejected, 0 otherwise.",
		}),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "scopegate_authority_up",
			Help: "1 while look-ups with the workspace work, 0 while they pause after failures.",
		}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scopegate_syncs_total",
			Help: "Refreshes of all tokens from the workspace's list, by result.",
		}, []string{"result"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scopegate_audit_dropped_total",
			Help: "Records that an audit sink (log, output, traces, logs) lost: its queue was full, its exporter failed, or it could not write.",
		}, []string{"sink"}),
		cacheEvent: make(map[string]prometheus.Counter),
		dropsOf:    make(map[string]prometheus.Counter),
	}
	for _, event := range []string{"hit", "stale", "negative", "miss"} {
		m.cacheEvent[event] = m.cacheEvents.WithLabelValues(event)
	}
	for _, sink := range []string{SinkLog, SinkOutput, SinkTraces, SinkLogs} {
		m.dropsOf[sink] = m.dropped.WithLabelValues(sink)
	}
	m.up.Set(1) // until it is known otherwise
	return m
}

// Register returns scopegate's metrics, registered with a configuration's
// registry. Several handlers of one configuration share a registry, so finding
// the metrics there already is no error.
func Register(registry prometheus.Registerer) (*Metrics, error) {
	if registry == nil {
		return metrics, nil
	}
	for _, collector := range []prometheus.Collector{
		metrics.decisions, metrics.lookups, metrics.lookupTime, metrics.cacheEvents,
		metrics.factsAge, metrics.unmapped, metrics.ready, metrics.up, metrics.syncs,
		metrics.dropped,
	} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return nil, err
		}
	}
	return metrics, nil
}

// Count counts a record.
func (m *Metrics) Count(r *Record) {
	// What was only rehearsed was observed, also by a handler that enforces the rest.
	mode := "observe"
	if r.Enforced {
		mode = "enforce"
	}
	m.decision.of(m.decisions, r.Decision, r.Reason, mode).Inc()
	if r.Facts.Source != "" {
		m.factsAge.Observe(r.FactsAge.Seconds())
	}
	if r.Operation != nil && r.Operation.Unmapped() {
		m.unmapped.Inc()
	}
}

// CacheUsed implements [tokens.Observer].
func (m *Metrics) CacheUsed(event string) {
	if counter, ok := m.cacheEvent[event]; ok {
		counter.Inc()
	}
}

// LookedUp implements [tokens.Observer].
func (m *Metrics) LookedUp(result string, took time.Duration) {
	m.lookups.WithLabelValues(result).Inc()
	m.lookupTime.Observe(took.Seconds())
	switch result {
	case "found", "unknown":
		m.ready.Set(1)
	case string(tokens.Rejected), string(tokens.NotConfigured), string(tokens.IDRuleBroken):
		m.ready.Set(0)
	}
}

// Synced implements [tokens.SyncObserver].
func (m *Metrics) Synced(result string, _ int, _ time.Duration) {
	m.syncs.WithLabelValues(result).Inc()
}

// AuditDropped counts records that a sink (log, traces or logs) lost.
func (m *Metrics) AuditDropped(sink string, n int) {
	if counter, ok := m.dropsOf[sink]; ok {
		counter.Add(float64(n))
	}
}

// AuthorityUp tells whether look-ups work.
func (m *Metrics) AuthorityUp(up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.up.Set(value)
}
