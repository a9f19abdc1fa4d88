package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connections is the number of concurrent requests, each on a separate keep-alive
	// connection. Every target has that many connections.
	connections = 64

	// sliceTime is how long one target is driven before the next. It is short, because
	// the speed of a shared machine drifts: compared measurements must be close in time.
	sliceTime = 300 * time.Millisecond

	// settleTime at the start of each slice does not count: connections open, and the
	// previous target finishes its background work.
	settleTime = 60 * time.Millisecond

	// answerSize is the size of every response body of the upstream, in bytes.
	answerSize = 1024

	requestTimeout = 10 * time.Second
)

// slice is the measurement of one turn.
type slice struct {
	round, target int
	requests      int
	took          time.Duration
	cpu           time.Duration // CPU time of the target's processes
	p50, p99      time.Duration
}

func (s slice) throughput() float64 { return float64(s.requests) / s.took.Seconds() }

// cpuPerRequest returns the CPU time per request in microseconds.
func (s slice) cpuPerRequest() float64 {
	if s.requests == 0 {
		return 0
	}
	return float64(s.cpu.Microseconds()) / float64(s.requests)
}

func (s slice) p50ms() float64 { return s.p50.Seconds() * 1e3 }
func (s slice) p99ms() float64 { return s.p99.Seconds() * 1e3 }

// phase is the current turn. Workers compare its address.
type phase struct {
	index    int
	target   *target
	counting atomic.Bool
	over     chan struct{} // closed when the next phase has begun
}

// driver sends requests to targets in turn, over keep-alive connections.
//
// The client is fasthttp, the engine of the load tool bombardier. Load generator, proxy
// and upstream share the machine, so the client must be cheap. One client process for
// all targets makes it possible to switch between them every few hundred milliseconds.
type driver struct {
	calls   []call
	current atomic.Pointer[phase]
	failure atomic.Pointer[error]
}

// drive runs all turns and returns the measurements.
func (d *driver) drive(ctx context.Context, targets []*target, turns []turn) ([]slice, error) {
	var workers sync.WaitGroup
	latencies := make([][][]time.Duration, connections)
	d.failure.Store(nil)
	d.begin(&phase{index: -1, target: targets[turns[0].target]})
	for w := range connections {
		latencies[w] = make([][]time.Duration, len(turns))
		workers.Go(func() { d.work(w, latencies[w]) })
	}
	measured := make([]slice, 0, len(turns))
	for i, turn := range turns {
		s, err := d.turn(ctx, i, targets[turn.target])
		if err != nil {
			break
		}
		s.round, s.target = turn.round, turn.target
		measured = append(measured, s)
	}
	d.begin(nil)
	workers.Wait()
	if err := d.failure.Load(); err != nil {
		return nil, *err
	}
	for i := range measured {
		var all []time.Duration
		for w := range latencies {
			all = append(all, latencies[w][i]...)
		}
		slices.Sort(all)
		if len(all) == 0 {
			return nil, fmt.Errorf("no request to %s was answered in %s", targets[measured[i].target].name, sliceTime)
		}
		measured[i].requests = len(all)
		measured[i].p50, measured[i].p99 = all[len(all)/2], all[len(all)*99/100]
	}
	return measured, ctx.Err()
}

// begin starts a phase, or ends the last if it is nil.
func (d *driver) begin(p *phase) {
	if p != nil {
		p.over = make(chan struct{})
	}
	if before := d.current.Swap(p); before != nil {
		close(before.over)
	}
}

// turn drives one target for one slice.
func (d *driver) turn(ctx context.Context, index int, t *target) (slice, error) {
	p := &phase{index: index, target: t}
	d.begin(p)
	if err := d.pause(ctx, settleTime); err != nil {
		return slice{}, err
	}
	cpu, began := t.cpu(), time.Now()
	p.counting.Store(true)
	err := d.pause(ctx, sliceTime-settleTime)
	p.counting.Store(false)
	return slice{took: time.Since(began), cpu: t.cpu() - cpu}, err
}

var errDisturbed = errors.New("the run is over")

func (d *driver) pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if d.failure.Load() != nil {
		return errDisturbed
	}
	return nil
}

// work sends one request after another until there are no more turns. It leaves targets
// with fewer requests in flight to the first workers.
func (d *driver) work(w int, latencies [][]time.Duration) {
	own := part(d.calls, w, connections)
	senders := make(map[*target]sender)
	defer func() {
		for _, s := range senders {
			s.release()
		}
	}()
	for i := rand.IntN(len(own)); ; i++ {
		p := d.current.Load()
		if p == nil {
			return
		}
		if w >= p.target.inFlight {
			<-p.over
			continue
		}
		s := senders[p.target]
		if s == nil {
			s = p.target.sender(own)
			senders[p.target] = s
		}
		began := time.Now()
		err := s.send(i % len(own))
		took := time.Since(began)
		if err != nil {
			err = fmt.Errorf("%s voids the run: %w", p.target.name, err)
			d.failure.CompareAndSwap(nil, &err)
			return
		}
		if p.counting.Load() {
			latencies[p.index] = append(latencies[p.index], took)
		}
	}
}

// part returns every n-th call, starting with the i-th.
func part(calls []call, i, n int) (own []call) {
	for ; i < len(calls); i += n {
		own = append(own, calls[i])
	}
	return own
}

// warmUpTime bounds how long the targets may take to serve every token.
const warmUpTime = 60 * time.Second

// warmUp sends every call to every target once. It repeats calls that the gateway
// refuses because it is still looking up tokens.
func (d *driver) warmUp(ctx context.Context, targets []*target) error {
	ctx, cancel := context.WithTimeout(ctx, warmUpTime)
	defer cancel()
	for _, t := range targets {
		var workers sync.WaitGroup
		for w := range connections {
			workers.Go(func() {
				if err := d.warm(ctx, t, part(d.calls, w, connections)); err != nil {
					err = fmt.Errorf("warming up %s: %w", t.name, err)
					d.failure.CompareAndSwap(nil, &err)
					cancel()
				}
			})
		}
		workers.Wait()
		if err := d.failure.Load(); err != nil {
			return *err
		}
	}
	return nil
}

func (d *driver) warm(ctx context.Context, t *target, calls []call) error {
	s := t.sender(calls)
	defer s.release()
	for i := range calls {
		for {
			err := s.send(i)
			if err == nil {
				break
			}
			var r refusal
			if !errors.As(err, &r) || !r.temporary() {
				return err
			}
			if late := d.pause(ctx, 20*time.Millisecond); late != nil {
				return fmt.Errorf("not all tokens were looked up in time: %w", errors.Join(late, err))
			}
		}
	}
	return nil
}
