package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
)

// secureStock is stock Caddy to a workspace with TLS.
const secureStock = "caddy-tls"

// latencyRate is a rate, and for how long each slice lasts.
type latencyRate struct {
	perSecond int
	slice     time.Duration
}

var latencyRates = []latencyRate{{100, 2 * time.Second}, {1000, time.Second}, {3000, time.Second}}

const (
	latencyProcesses = 3
	latencyRounds    = 2
	// latencyResamples is fewer than resamples: each sorts many times.
	latencyResamples = 200

	// A generator that is later than this cannot keep its schedule.
	lateMedian = 500 * time.Microsecond
	lateP99    = 5 * time.Millisecond
)

// latency is what a user feels at one rate.
type latency struct {
	Rate     int     `json:"requests_per_second"`
	Target   string  `json:"target"`
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_ms"` // from when requests were due
	P99      float64 `json:"p99_ms"`
	// AddedP50 and AddedP99 are the differences to the workspace, asked directly.
	AddedP50 difference `json:"added_p50_ms"`
	AddedP99 difference `json:"added_p99_ms"`
	// LateP50 and LateP99 are from when requests were due to when they were sent.
	LateP50 float64 `json:"generator_late_p50_ms"`
	LateP99 float64 `json:"generator_late_p99_ms"`
	Void    string  `json:"void,omitempty"` // why the row means nothing
}

// difference is of quantiles over all slices, with a 95 % interval from drawing slices.
type difference struct {
	Is   float64 `json:"is"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// latencySlice is a slice of one round.
type latencySlice struct {
	openSlice
	rate   int
	round  int // over all processes
	target string
}

// latencyTargets are in the order of the report.
var latencyTargets = []string{direct, secureStock, secure}

// latency sends requests at fixed rates to a workspace with TLS and HTTP/2: directly, through
// stock Caddy and through the gateway, both of which are asked in plain HTTP/1.1.
func (l *lab) latency(ctx context.Context, scale float64, smoke bool) ([]latency, error) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	processes, rounds := max(1, int(latencyProcesses*scale+0.5)), latencyRounds
	if smoke {
		processes, rounds = 1, 1
	}
	var measured []latencySlice
	for p := range processes {
		slices, err := l.latencyOnce(ctx, rounds, smoke, rng)
		if err != nil {
			return nil, fmt.Errorf("group latency: %w", err)
		}
		for i := range slices {
			slices[i].round += p * rounds
		}
		measured = append(measured, slices...)
		say("%-8s %d/%d", "latency", p+1, processes)
	}
	return latenciesOf(measured, rand.New(rand.NewPCG(1, 2))), nil
}

// latencyOnce measures with fresh processes.
func (l *lab) latencyOnce(ctx context.Context, rounds int, smoke bool, rng randomizer) (measured []latencySlice, err error) {
	dir, err := os.MkdirTemp(l.dir, "latency-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var r running
	defer r.stop()
	upstream, v, err := l.secureWorkspace(&r, dir)
	if err != nil {
		return nil, err
	}
	r.calls, _ = corpus(upstream.Tokens)
	if err := r.add(one(l.stockTo(ctx, dir, secureStock, v))); err != nil {
		return nil, err
	}
	if err := r.add(l.gateway(ctx, dir, secure, v, secure)); err != nil {
		return nil, err
	}
	if err := (&driver{calls: r.calls}).warmUp(ctx, r.targets); err != nil {
		return nil, err
	}
	clients := map[string]*openClient{direct: newOpenClient("https://"+upstream.Address, upstream.CA, r.calls)}
	for _, t := range r.targets {
		clients[t.name] = newOpenClient("http://"+t.address, upstream.CA, r.calls)
	}
	for _, c := range clients {
		defer c.transport.CloseIdleConnections()
		if _, err := c.run(ctx, 1000, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
	// The generator collects its garbage between slices.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for round := range rounds {
		for _, rate := range latencyRates {
			if smoke {
				rate.slice = 200 * time.Millisecond
			}
			for _, at := range rng.Perm(len(latencyTargets)) {
				name := latencyTargets[at]
				runtime.GC()
				s, err := clients[name].run(ctx, rate.perSecond, rate.slice)
				if err != nil {
					return nil, err
				}
				measured = append(measured, latencySlice{s, rate.perSecond, round, name})
			}
		}
	}
	return measured, nil
}

// latenciesOf summarizes slices, in the order of rates and targets.
func latenciesOf(measured []latencySlice, rng randomizer) (found []latency) {
	rounds := 0
	for _, s := range measured {
		rounds = max(rounds, s.round+1)
	}
	all := make([]int, rounds)
	for i := range all {
		all[i] = i
	}
	for _, rate := range latencyRates {
		base := byRound(measured, rate.perSecond, direct, rounds)
		for _, name := range latencyTargets {
			of := byRound(measured, rate.perSecond, name, rounds)
			took := pooled(of, all, func(s openSlice) []time.Duration { return s.took })
			if len(took) == 0 {
				continue
			}
			late := pooled(of, all, func(s openSlice) []time.Duration { return s.late })
			row := latency{
				Rate: rate.perSecond, Target: name, Requests: len(took),
				P50: quantile(took, 0.5), P99: quantile(took, 0.99),
				LateP50: quantile(late, 0.5), LateP99: quantile(late, 0.99),
			}
			row.Void = void(of, row)
			if name != direct {
				row.AddedP50, row.AddedP99 = added(of, base, all, rng)
			}
			found = append(found, row)
		}
	}
	return found
}

func byRound(measured []latencySlice, rate int, target string, rounds int) []openSlice {
	found := make([]openSlice, rounds)
	for _, s := range measured {
		if s.rate == rate && s.target == target {
			found[s.round] = s.openSlice
		}
	}
	return found
}

// pooled returns times of some rounds in milliseconds.
func pooled(slices []openSlice, rounds []int, of func(openSlice) []time.Duration) (all []float64) {
	for _, round := range rounds {
		for _, t := range of(slices[round]) {
			all = append(all, float64(t.Nanoseconds())/1e6)
		}
	}
	return all
}

// void says why a row means nothing.
func void(slices []openSlice, row latency) string {
	for _, s := range slices {
		if s.overloaded {
			return fmt.Sprintf("%d requests were in flight, or one waited for %s", mostInFlight, requestTimeout)
		}
	}
	if row.LateP50 > lateMedian.Seconds()*1e3 || row.LateP99 > lateP99.Seconds()*1e3 {
		return "the load generator could not keep the schedule"
	}
	return ""
}

// added subtracts the quantiles of base from those of a target. The interval draws rounds,
// the same of both.
func added(of, base []openSlice, rounds []int, rng randomizer) (p50, p99 difference) {
	took := func(s openSlice) []time.Duration { return s.took }
	both := func(rounds []int) (float64, float64) {
		a, b := pooled(of, rounds, took), pooled(base, rounds, took)
		return quantile(a, 0.5) - quantile(b, 0.5), quantile(a, 0.99) - quantile(b, 0.99)
	}
	p50.Is, p99.Is = both(rounds)
	var halves, tails []float64
	for range latencyResamples {
		drawn := make([]int, len(rounds))
		for i := range drawn {
			drawn[i] = rounds[rng.IntN(len(rounds))]
		}
		half, tail := both(drawn)
		halves, tails = append(halves, half), append(tails, tail)
	}
	p50.Low, p50.High = quantile(halves, 0.025), quantile(halves, 0.975)
	p99.Low, p99.High = quantile(tails, 0.025), quantile(tails, 0.975)
	return p50, p99
}

func latencyText(b *strings.Builder, rows []latency) {
	if len(rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "req/s\tto a workspace with TLS\tp50 ms\tp99 ms\tadded p50 ms [95 % interval]\tadded p99 ms\tgenerator late p50, p99 ms\t")
	voids := false
	for _, row := range rows {
		half, tail, note := row.AddedP50.String(), row.AddedP99.String(), ""
		if row.Target == direct {
			half, tail = "-", "-"
		}
		if row.Void != "" {
			note, voids = "VOID: "+row.Void, true
		}
		fmt.Fprintf(w, "%d\t%s\t%.3f\t%.3f\t%s\t%s\t%.3f, %.3f\t%s\n", row.Rate, labels[row.Target], row.P50, row.P99, half, tail, row.LateP50, row.LateP99, note)
	}
	_ = w.Flush() // to a string
	if !voids {
		fmt.Fprintln(b, "The load generator kept its schedule.")
	}
	b.WriteByte('\n')
}

func (d difference) String() string {
	return fmt.Sprintf("%+.3f [%+.3f to %+.3f]", d.Is, d.Low, d.High)
}

// secureWorkspace starts a workspace with TLS and HTTP/2, and returns how to run a gateway for
// it.
func (l *lab) secureWorkspace(r *running, dir string) (*helper, variant, error) {
	upstream, err := startHelper(partSecure)
	if err != nil {
		return nil, variant{}, err
	}
	r.processes = append(r.processes, upstream.process)
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(upstream.CA), 0o600); err != nil {
		return nil, variant{}, err
	}
	v := l.asShipped("SSL_CERT_FILE=" + ca)
	v.workspace, v.adminToken = "https://"+upstream.Address, upstream.AdminToken
	return upstream, v, nil
}
