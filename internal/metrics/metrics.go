package metrics

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the gateway does. It is safe for concurrent use.
type Metrics struct {
	decisions decisionCounters
	optional  fixedCounters
	factsAge  prometheus.Histogram
	unmapped  prometheus.Counter
	outcomes  fixedCounters

	disagreements boundedCounters
	open          prometheus.Gauge

	lookups     *prometheus.CounterVec
	lookupTime  prometheus.Histogram
	syncs       *prometheus.CounterVec
	cacheEvents fixedCounters
	unusable    fixedCounters
	ready       prometheus.Gauge
	up          prometheus.Gauge
	downFor     *prometheus.GaugeVec

	mu          sync.Mutex
	authorities map[*Authority]struct{}

	mapChanges fixedCounters
	mapRefused prometheus.Gauge

	found    map[[2]string]prometheus.Gauge
	findings map[*Findings]map[[2]string]int // guarded by mu
	fleet    fleetMetrics

	dropped fixedCounters
	queues  *queueLengths

	collectors []prometheus.Collector
}

// New returns metrics that start at zero and are not registered anywhere.
func New() *Metrics {
	var t table
	m := &Metrics{
		// Decisions.
		decisions: decisionCounters{vec: t.counters("scopegate_decisions_total",
			"Requests by decision (allow, deny, public), reason and mode (enforce; observe with mode observe, or if only a rehearsed policy refused).",
			"decision", "reason", "mode")},
		optional: fixed(t.counters("scopegate_optional_refusals_total",
			"Refusals of calls that clients go on without, such as telemetry, by mode. They are not in scopegate_decisions_total.",
			"mode"), "enforce", "observe"),
		factsAge: t.histogram("scopegate_facts_age_seconds",
			"Age of the token facts that decisions were based on.",
			1, 5, 15, 30, 60, 120, 300, 900, 3600),
		unmapped: t.counter("scopegate_unmapped_total",
			"Requests for a path that is not in the catalog and therefore requires all-apis."),
		disagreements: boundedCounters{vec: t.counters("scopegate_map_disagreements_total",
			"Answers of the workspace that disagree with the map about scopes, by operation. Beyond 100 operations, the rest count as other.",
			"operation")},
		outcomes: fixed(t.counters("scopegate_outcomes_total",
			"Requests that have ended, by how: answered, upgraded, client_left, upstream_reset, upstream_timeout, upstream_unreachable, failed, aborted or panicked.",
			"outcome"), "answered", "upgraded", "client_left", "upstream_reset", "upstream_timeout", "upstream_unreachable", "decided", "failed", "aborted", "panicked"),
		open: t.gauge("scopegate_open_requests",
			"Requests that have lasted long enough to leave a record with the outcome open, and have not ended."),

		// Tokens.
		lookups: t.counters("scopegate_lookups_total",
			"Token look-ups with the workspace's Token Management API, by result.",
			"result"),
		lookupTime: t.histogram("scopegate_lookup_seconds",
			"Duration of token look-ups, from leaving the queue to the response.",
			.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		syncs: t.counters("scopegate_syncs_total",
			"Refreshes of all tokens from the workspace's list, by result.",
			"result"),
		cacheEvents: fixed(t.counters("scopegate_cache_total",
			"Requests by where their token facts came from: hit, stale, negative or miss.",
			"event"), "hit", "stale", "negative", "miss"),
		unusable: fixed(t.counters("scopegate_unusable_answers_total",
			"Answers about one token that cannot be used while others can, by kind.",
			"kind"), unusableKinds...),
		ready: t.gauge("scopegate_ready",
			"1 if the admin credential of every workspace has worked and is not rejected now, 0 otherwise."),
		up: t.gauge("scopegate_authority_up",
			"1 while token look-ups work with every workspace, 0 while they are paused after failures."),
		downFor: t.gauges("scopegate_authority_down",
			"Workspaces whose token look-ups fail, or have not worked yet, by reason.",
			"reason"),
		authorities: make(map[*Authority]struct{}),

		// The map.
		mapChanges: fixed(t.counters("scopegate_map_changes_total",
			"Changes of map files (bundle and routes) that were noticed, by result: applied, or refused because they cannot be used.",
			"result"), "applied", "refused"),
		mapRefused: t.gauge("scopegate_map_refused",
			"Workspaces whose map files on disk cannot be used, so that an earlier map is in force."),

		// Findings.
		found: foundGauges(t.gauges("scopegate_findings",
			"Findings about the tokens of all workspaces, by kind and state (new, acknowledged, resolved). Gateways that share a storage report the same ones.",
			"kind", "state")),
		findings: make(map[*Findings]map[[2]string]int),

		fleet: newFleetMetrics(&t),

		// Audit.
		dropped: fixed(t.counters("scopegate_audit_dropped_total",
			"Records lost by an audit sink (log, output, traces, logs): its queue was full, its exporter failed, or a write failed.",
			"sink"), "log", "output", "traces", "logs"),
		queues: add(&t, newQueueLengths(prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scopegate_audit_queue",
			Help: "Records that wait in the queues of an audit sink (output, traces, logs), including those being sent."}, []string{"sink"}),
			"output", "traces", "logs")),
	}
	m.collectors = t.collectors
	m.up.Set(1) // until a look-up fails
	for _, reason := range downReasons {
		m.downFor.WithLabelValues(reason)
	}
	return m
}

// table makes collectors and remembers them.
type table struct{ collectors []prometheus.Collector }

func (t *table) counter(name, help string) prometheus.Counter {
	return add(t, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (t *table) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return add(t, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (t *table) gauge(name, help string) prometheus.Gauge {
	return add(t, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (t *table) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return add(t, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

func (t *table) histogram(name, help string, buckets ...float64) prometheus.Histogram {
	return add(t, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}))
}

func add[C prometheus.Collector](t *table, collector C) C {
	t.collectors = append(t.collectors, collector)
	return collector
}

// process are the metrics of this process. Caddy makes a new registry for every
// configuration. Collectors that are made once and registered with each of them keep
// their counts across reloads.
var process = New()

// Register returns the metrics of this process, registered with a registry.
func Register(registry prometheus.Registerer) (*Metrics, error) {
	return process, process.Register(registry)
}

// Register registers the metrics with a registry, which may be nil for none. Doing that
// twice is not an error: handlers of one configuration share a registry.
func (m *Metrics) Register(registry prometheus.Registerer) error {
	if registry == nil {
		return nil
	}
	for _, collector := range m.collectors {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}
