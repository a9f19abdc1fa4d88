package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// AuditDropped counts records that an audit sink lost: log, output, traces or logs.
func (m *Metrics) AuditDropped(sink string, n int) { m.dropped.add(sink, n) }

// AuditQueue adds a queue of an audit sink: output, traces or logs. Several outputs count
// together. Length is called when the metrics are read, until remove is called.
func (m *Metrics) AuditQueue(sink string, length func() int) (remove func()) {
	return m.queues.add(sink, length)
}

// queueLengths is a gauge by sink that asks the queues when it is read, so that records
// need not be counted on their way.
type queueLengths struct {
	*prometheus.GaugeVec

	mu     sync.Mutex
	queues map[string]map[*func() int]struct{} // by sink
}

func newQueueLengths(gauge *prometheus.GaugeVec, sinks ...string) *queueLengths {
	g := &queueLengths{GaugeVec: gauge, queues: make(map[string]map[*func() int]struct{}, len(sinks))}
	for _, sink := range sinks {
		g.queues[sink] = make(map[*func() int]struct{})
	}
	return g
}

// add ignores sinks that are not in the list.
func (g *queueLengths) add(sink string, length func() int) (remove func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	queues := g.queues[sink]
	if queues == nil {
		return func() {}
	}
	queues[&length] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(queues, &length)
	}
}

// Collect implements [prometheus.Collector].
func (g *queueLengths) Collect(samples chan<- prometheus.Metric) {
	g.mu.Lock()
	for sink, queues := range g.queues {
		waiting := 0
		for length := range queues {
			waiting += (*length)()
		}
		g.WithLabelValues(sink).Set(float64(waiting))
	}
	g.mu.Unlock()
	g.GaugeVec.Collect(samples)
}
