package main

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// results is the content of the report, the JSON file and the picture.
type results struct {
	Made    time.Time `json:"made"`
	Took    string    `json:"took"`
	Machine machine   `json:"machine"`
	Setups  []setup   `json:"setups"`
	Ratios  []ratio   `json:"ratios"`
	Goals   []outcome `json:"goals"`
	Program program   `json:"program"`
	// Latency is at fixed rates, and Connections is the memory of connections.
	Latency     []latency          `json:"latency,omitempty"`
	Connections []connectionMemory `json:"connections,omitempty"`
	// OwnShare is the share of our own functions in the CPU time of the gateway as shipped, in
	// percent. Zero is not measured.
	OwnShare float64 `json:"own_functions_percent,omitempty"`
	// Others is the largest share of the machine that other programs used, by group. A
	// large share makes a run worthless.
	Others  map[string]float64 `json:"others"`
	Skipped []string           `json:"skipped,omitempty"`
}

// machine describes the machine in general terms.
type machine struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
}

func thisMachine() machine {
	return machine{runtime.GOOS + "/" + runtime.GOARCH, runtime.NumCPU(), runtime.Version()}
}

// setup is one target by itself. Its numbers drift with the machine; the ratios do not.
type setup struct {
	Group      string  `json:"group"`
	Name       string  `json:"name"`
	Throughput summary `json:"requests_per_second"`
	P50        summary `json:"p50_ms"`
	P99        summary `json:"p99_ms"`
	CPU        summary `json:"cpu_us_per_request"`
	PeakMemory int64   `json:"peak_memory_bytes"` // median over processes
	// CPUOfMillion is the CPU time of 1,000,000 requests in seconds, from that of Requests.
	CPUOfMillion float64 `json:"cpu_seconds_per_million_requests"`
	Requests     int     `json:"requests"`
}

// comparison is two targets of a group that are worth comparing. Base may hold several
// identical targets; then their mean counts.
type comparison struct {
	Group string   `json:"group"`
	Of    string   `json:"of"`
	Base  []string `json:"base"`
}

// comparisons are those in the report, in order.
var comparisons = []comparison{
	{"handler", plainTwin, []string{plain}},
	{"handler", enforce, []string{plain, plainTwin}},
	{"handler", withLines, []string{plain, plainTwin}},
	{"handler", withLines, []string{enforce}},
	{"handler", withLog, []string{enforce}},
	{"otlp", withOTLP, []string{plain}},
	{"otlp", withOTLP, []string{withLines}},
	{"dead", withDead, []string{plain}},
	{"dead", withDead, []string{withLines}},
	{"against", shipped, []string{against}},
	{"tls", secure, []string{secureOne}},
	{"setups", shipped, []string{stockProxy}},
	{"setups", shippedLog, []string{stockProxy}},
	{"setups", shippedQuiet, []string{stockProxy}},
	{"setups", shipped, []string{stockTuned}},
	{"setups", shippedQuiet, []string{stockTuned}},
	{"setups", stockTuned, []string{stockProxy}},
	{"setups", stockAuth, []string{stockTuned}},
	{"setups", shipped, []string{stockAuth}},
	{"setups", nginxProxy, []string{stockProxy}},
	{"setups", nginxAuth, []string{nginxProxy}},
	{"setups", shipped, []string{nginxAuth}},
	{"setups", shippedQuiet, []string{nginxAuth}},
	{"rivals", shipped, []string{heimdall}},
	{"rivals", shippedQuiet, []string{heimdall}},
	{"rivals", heimdall, []string{stockProxy}},
	{"rivals", nginxGuard, []string{nginxProxy}},
	{"rivals", shipped, []string{nginxGuard}},
	{"decision", nginxYesTwin, []string{nginxYes}},
	{"decision", nginxDecide, []string{nginxYes, nginxYesTwin}},
	{"decision", nginxDecide, []string{nginxBare}},
	{"cost", askCaddy, []string{askBare}},
	{"cost", askDecide, []string{askCaddy}},
	{"cost", askGRPC, []string{askDecide}},
}

// ratio is a measured comparison.
type ratio struct {
	comparison
	Throughput estimate `json:"throughput"`
	CPU        estimate `json:"cpu_per_request"`
	P50        estimate `json:"p50"`
	P99        estimate `json:"p99"`
}

// evaluate computes the results from the measurements.
func evaluate(measured []measurement, rng *rand.Rand) results {
	r := results{Machine: thisMachine(), Others: make(map[string]float64)}
	for _, m := range measured {
		r.Others[m.group] = max(r.Others[m.group], m.others)
		r.skip(m.skipped)
	}
	r.Setups = setupsOf(measured)
	for _, c := range comparisons {
		if found, ok := compare(measured, c, rng); ok {
			r.Ratios = append(r.Ratios, found)
		}
	}
	for _, g := range goals {
		if g.Base == "" {
			if is, ok := cpuOf(measured, g.Group, g.Of, rng); ok {
				r.Goals = append(r.Goals, judge(g, is))
			}
			continue
		}
		for i := range r.Ratios {
			c := &r.Ratios[i]
			if c.Group == g.Group && c.Of == g.Of && c.Base[0] == g.Base {
				r.Goals = append(r.Goals, judge(g, c.Throughput))
			}
		}
	}
	return r
}

// skip adds targets that were skipped.
func (r *results) skip(names []string) {
	for _, name := range names {
		if !slices.Contains(r.Skipped, name) {
			r.Skipped = append(r.Skipped, name)
		}
	}
}

// cpuOf estimates the CPU time of a request in microseconds.
func cpuOf(measured []measurement, group, name string, rng *rand.Rand) (estimate, bool) {
	var processes [][]float64
	for _, m := range measured {
		if m.group != group {
			continue
		}
		at := slices.Index(m.names, name)
		var rounds []float64
		for _, s := range m.slices {
			if s.target == at {
				rounds = append(rounds, s.cpuPerRequest())
			}
		}
		if len(rounds) > 0 {
			processes = append(processes, rounds)
		}
	}
	if len(processes) == 0 {
		return estimate{}, false
	}
	return estimateRatio(processes, rng), true
}

// setupsOf summarizes the slices of each target over all processes.
func setupsOf(measured []measurement) (found []setup) {
	type key struct{ group, name string }
	var order []key
	all := make(map[key][]slice)
	peaks := make(map[key][]float64)
	for _, m := range measured {
		for _, s := range m.slices {
			k := key{m.group, m.names[s.target]}
			if all[k] == nil {
				order = append(order, k)
			}
			all[k] = append(all[k], s)
		}
		for name, peak := range m.peaks {
			peaks[key{m.group, name}] = append(peaks[key{m.group, name}], float64(peak))
		}
	}
	slices.SortStableFunc(order, func(a, b key) int { return rank(a.group, a.name) - rank(b.group, b.name) })
	for _, k := range order {
		cpu, requests := time.Duration(0), 0
		for _, s := range all[k] {
			cpu, requests = cpu+s.cpu, requests+s.requests
		}
		found = append(found, setup{
			CPUOfMillion: cpu.Seconds() / float64(requests) * 1e6, Requests: requests,
			Group: k.group, Name: k.name,
			Throughput: summarize(each(all[k], slice.throughput)),
			P50:        summarize(each(all[k], slice.p50ms)),
			P99:        summarize(each(all[k], slice.p99ms)),
			CPU:        summarize(each(all[k], slice.cpuPerRequest)),
			PeakMemory: int64(median(peaks[k])),
		})
	}
	return found
}

// groupNames are the groups in the order of the report.
var groupNames = []string{"setups", "rivals", "decision", "cost", "handler", "otlp", "dead", "against", "tls"}

// rank orders setups for the report.
func rank(group, name string) int {
	names := []string{askBare, askCaddy, askDecide, askGRPC, askGRPCOne, nginxYes, nginxYesTwin, nginxDecide, nginxBare, direct, nginxProxy, nginxAuth, stockProxy, stockTuned, stockAuth, shipped, shippedLog, shippedQuiet, nginxGuard, heimdall,
		plain, plainTwin, enforce, withLines, withLog, withOTLP, withDead, against, secure, secureOne}
	return slices.Index(groupNames, group)*len(names) + slices.Index(names, name)
}

func each(slices []slice, of func(slice) float64) []float64 {
	values := make([]float64, len(slices))
	for i, s := range slices {
		values[i] = of(s)
	}
	return values
}

// compare pairs the slices of two targets, process by process. It returns false if one
// of them was not measured.
func compare(measured []measurement, c comparison, rng *rand.Rand) (ratio, bool) {
	quantities := []func(slice) float64{slice.throughput, slice.cpuPerRequest, slice.p50ms, slice.p99ms}
	paired := make([][][]float64, len(quantities))
	for _, m := range measured {
		if m.group != c.Group {
			continue
		}
		of := slices.Index(m.names, c.Of)
		var base []int
		for _, name := range c.Base {
			base = append(base, slices.Index(m.names, name))
		}
		if of < 0 || slices.Contains(base, -1) {
			continue
		}
		for i, quantity := range quantities {
			if found := ratios(m.slices, of, base, quantity); len(found) > 0 {
				paired[i] = append(paired[i], found)
			}
		}
	}
	if len(paired[0]) == 0 {
		return ratio{}, false
	}
	found := ratio{comparison: c}
	for i, to := range []*estimate{&found.Throughput, &found.CPU, &found.P50, &found.P99} {
		if len(paired[i]) > 0 {
			*to = estimateRatio(paired[i], rng)
		}
	}
	return found, true
}
