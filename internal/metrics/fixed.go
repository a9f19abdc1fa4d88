package metrics

import "github.com/prometheus/client_golang/prometheus"

// fixedCounters are the counters of a metric with one label, by its values, which are
// all known. Every series exists from the start: the first event is an increase, which
// an alert can see. Finding a counter does not hash labels, which would cost more than
// counting.
type fixedCounters map[string]prometheus.Counter

func fixed(vec *prometheus.CounterVec, values ...string) fixedCounters {
	counters := make(fixedCounters, len(values))
	for _, value := range values {
		counters[value] = vec.WithLabelValues(value)
	}
	return counters
}

// add ignores values that are not in the list.
func (c fixedCounters) add(value string, n int) {
	if counter, ok := c[value]; ok {
		counter.Add(float64(n))
	}
}

// pairedCounters are fixedCounters of a metric with two labels, in all combinations.
type pairedCounters map[[2]string]prometheus.Counter

func paired(vec *prometheus.CounterVec, first, second []string) pairedCounters {
	counters := make(pairedCounters, len(first)*len(second))
	for _, a := range first {
		for _, b := range second {
			counters[[2]string{a, b}] = vec.WithLabelValues(a, b)
		}
	}
	return counters
}

// add counts one. It ignores values that are not in the lists.
func (c pairedCounters) add(first, second string) {
	if counter, ok := c[[2]string{first, second}]; ok {
		counter.Inc()
	}
}
