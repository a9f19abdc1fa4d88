package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxValues is how many values of its label a bounded metric has.
const maxValues = 100

// boundedCounters are the counters of a metric with one label that has many values, all of
// them names that the operator or the catalog gives. The first ones have series of their
// own, and the rest count as other.
type boundedCounters struct {
	vec *prometheus.CounterVec

	mu     sync.Mutex
	values map[string]prometheus.Counter
}

func (c *boundedCounters) of(value string) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if counter, ok := c.values[value]; ok {
		return counter
	}
	if len(c.values) >= maxValues {
		return c.vec.WithLabelValues("other")
	}
	if c.values == nil {
		c.values = make(map[string]prometheus.Counter)
	}
	c.values[value] = c.vec.WithLabelValues(value)
	return c.values[value]
}
