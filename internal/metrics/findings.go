package metrics

import "github.com/prometheus/client_golang/prometheus"

// The label values of scopegate_findings. A series for each exists from the start.
var (
	findingKinds  = []string{"owner_gone", "unscoped", "never_expires", "unused", "near_expiry", "refused_often", "map_disagreement", "unused_scopes"}
	findingStates = []string{"new", "acknowledged", "resolved"}
)

func foundGauges(vec *prometheus.GaugeVec) map[[2]string]prometheus.Gauge {
	gauges := make(map[[2]string]prometheus.Gauge)
	for _, kind := range findingKinds {
		for _, state := range findingStates {
			gauges[[2]string{kind, state}] = vec.WithLabelValues(kind, state)
		}
	}
	return gauges
}

// Findings is what the metrics know of the findings of one workspace. Close it.
type Findings struct{ *Metrics }

// NewFindings starts to count the findings of a workspace.
func (m *Metrics) NewFindings() *Findings {
	f := &Findings{m}
	f.Set(nil)
	return f
}

// Set sets how many findings there are, by kind and state. It ignores what is not in the lists.
func (f *Findings) Set(counts map[[2]string]int) {
	f.count(func() { f.findings[f] = counts })
}

// Close forgets the findings.
func (f *Findings) Close() { f.count(func() { delete(f.findings, f) }) }

// count changes something and recomputes the gauges, which are about all workspaces together.
func (f *Findings) count(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	for label, gauge := range f.found {
		sum := 0
		for _, counts := range f.findings {
			sum += counts[label]
		}
		gauge.Set(float64(sum))
	}
}
