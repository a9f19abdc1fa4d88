package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/fleet"
)

// The label values of the metrics of a fleet. A series for each exists from the start.
var (
	storeOperations  = []string{"find", "share", "lease", "budget", "list", "change", "members", "usage"}
	storeResults     = []string{"ok", "miss", "down", "timeout", "error"}
	refusedEntries   = []string{"corrupt", "foreign", "swapped", "rolled_back", "future", "too_large", "replayed"}
	changeKinds      = []fleet.Kind{fleet.TokenChanged, fleet.OwnerChanged, fleet.AllChanged, fleet.OwnersChanged, fleet.UnknownChanged, fleet.Doubted, fleet.OwnersDoubted}
	changeDirections = []string{"published", "applied"}
	gapReasons       = []string{"lost", "trimmed", "restarted", "refused"}
	refusalsOfEdges  = []string{"unauthorized", "forbidden", "rate", "malformed", "workspace", "insecure"}
	sharedLookups    = []string{"found", "unknown", "miss"}
)

// fleetMetrics are the metrics of all fleets of the process.
type fleetMetrics struct {
	storeUp      prometheus.Gauge
	asked        pairedCounters
	askedTime    prometheus.Histogram
	refused      fixedCounters
	changes      pairedCounters
	gaps         fixedCounters
	edges        prometheus.Gauge
	edgeRefusals fixedCounters
	usageLost    prometheus.Counter
	upstreamUp   prometheus.Gauge
	revocation   prometheus.Histogram
	shared       fixedCounters

	members map[*Fleet]struct{} // guarded by Metrics.mu
}

func newFleetMetrics(t *table) fleetMetrics {
	kinds := make([]string, 0, len(changeKinds))
	for _, kind := range changeKinds {
		kinds = append(kinds, string(kind))
	}
	m := fleetMetrics{
		storeUp: t.gauge("scopegate_fleet_store_up",
			"1 while every store that facts are shared through can be used, or there is none; 0 while one is down."),
		asked: paired(t.counters("scopegate_fleet_store_requests_total",
			"Operations on the store by result (ok, miss, down if it was not tried, timeout, error).",
			"operation", "result"), storeOperations, storeResults),
		askedTime: t.histogram("scopegate_fleet_store_seconds",
			"Duration of operations on the store that were tried.",
			.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1),
		refused: fixed(t.counters("scopegate_fleet_entries_refused_total",
			"Things in the store that were not believed, by kind.",
			"kind"), refusedEntries...),
		changes: paired(t.counters("scopegate_fleet_changes_total",
			"Changes that this gateway told others (published) or was told (applied), by kind.",
			"kind", "direction"), kinds, changeDirections),
		gaps: fixed(t.counters("scopegate_fleet_gaps_total",
			"Times when changes may have been missed, so that everything was asked for again, by reason.",
			"reason"), gapReasons...),
		edges: t.gauge("scopegate_fleet_edges",
			"Edges that are subscribed to this authority."),
		edgeRefusals: fixed(t.counters("scopegate_fleet_edge_requests_refused_total",
			"Requests of edges that were refused, by reason.",
			"reason"), refusalsOfEdges...),
		usageLost: t.counter("scopegate_fleet_usage_lost_bytes_total",
			"Usage that this edge could not hand over, in bytes."),
		upstreamUp: t.gauge("scopegate_fleet_upstream_up",
			"1 while this edge is subscribed to an authority for every workspace, or needs none; 0 while it is not."),
		revocation: t.histogram("scopegate_revocation_seconds",
			"Time from a revocation, or another change, until an edge had applied it.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60),
		shared: fixed(t.counters("scopegate_fleet_lookups_shared_total",
			"Questions to the store by what other gateways had found out about the token (found, unknown, or miss if nothing).",
			"result"), sharedLookups...),
		members: make(map[*Fleet]struct{}),
	}
	m.storeUp.Set(1) // until one is down
	m.upstreamUp.Set(1)
	return m
}

// Fleet is what the metrics know of the fleet of one token service. There may be several, as
// of [Authority].
type Fleet struct {
	*Metrics

	// Guarded by Metrics.mu.
	storeDown    bool
	upstreamDown bool
	edges        int
}

// NewFleet starts to watch a fleet. Its store and its authority count as up until one is
// reported to be down. Close it.
func (m *Metrics) NewFleet() *Fleet {
	f := &Fleet{Metrics: m}
	f.change(func() { m.fleet.members[f] = struct{}{} })
	return f
}

// Close forgets the fleet.
func (f *Fleet) Close() { f.change(func() { delete(f.fleet.members, f) }) }

// change changes something and recomputes the gauges, which are about all fleets together.
func (f *Fleet) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	storeUp, upstreamUp, edges := true, true, 0
	for each := range f.fleet.members {
		storeUp = storeUp && !each.storeDown
		upstreamUp = upstreamUp && !each.upstreamDown
		edges += each.edges
	}
	set(f.fleet.storeUp, storeUp)
	set(f.fleet.upstreamUp, upstreamUp)
	f.fleet.edges.Set(float64(edges))
}

// StoreAsked implements [fleet.Observer].
func (f *Fleet) StoreAsked(operation, result string, took time.Duration) {
	f.fleet.asked.add(operation, result)
	if result != "down" {
		f.fleet.askedTime.Observe(took.Seconds())
	}
}

// StoreConnected implements [fleet.Observer].
func (f *Fleet) StoreConnected(err error) { f.change(func() { f.storeDown = err != nil }) }

// EntryRefused implements [fleet.Observer].
func (f *Fleet) EntryRefused(kind string) { f.fleet.refused.add(kind, 1) }

// Published implements [fleet.Observer].
func (f *Fleet) Published(kind fleet.Kind) { f.fleet.changes.add(string(kind), "published") }

// Applied implements [fleet.Observer].
func (f *Fleet) Applied(kind fleet.Kind) { f.fleet.changes.add(string(kind), "applied") }

// Gap implements [fleet.Observer].
func (f *Fleet) Gap(reason string) { f.fleet.gaps.add(reason, 1) }

// Acknowledged implements [fleet.Observer].
func (f *Fleet) Acknowledged(took time.Duration) { f.fleet.revocation.Observe(took.Seconds()) }

// EdgeConnected implements [fleet.Observer]. Edges are counted, and not named.
func (f *Fleet) EdgeConnected(string) { f.change(func() { f.edges++ }) }

// EdgeGone implements [fleet.Observer].
func (f *Fleet) EdgeGone(string) { f.change(func() { f.edges = max(0, f.edges-1) }) }

// EdgeRefused implements [fleet.Observer].
func (f *Fleet) EdgeRefused(reason string) { f.fleet.edgeRefusals.add(reason, 1) }

// UsageLost implements [fleet.Observer].
func (f *Fleet) UsageLost(bytes int) { f.fleet.usageLost.Add(float64(max(0, bytes))) }

// UpstreamConnected reports that an edge is subscribed to an authority, or with an error why
// not.
func (f *Fleet) UpstreamConnected(err error) { f.change(func() { f.upstreamDown = err != nil }) }

// LookupShared counts what other gateways had found out about a token: found, unknown if
// there is no such token, or miss if nothing.
func (f *Fleet) LookupShared(result string) { f.fleet.shared.add(result, 1) }

// Interface guard
var _ fleet.Observer = (*Fleet)(nil)
