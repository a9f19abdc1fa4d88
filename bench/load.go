package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// connections is how many requests are under way at once, each on a keep-alive
	// connection of its own. Every target has that many.
	connections = 64

	// sliceTime is how long one target is driven before another one has its turn.
	// It is short, because the speed of a shared machine drifts: what is compared
	// must lie close together.
	sliceTime = 300 * time.Millisecond

	// settleTime, at the start of each slice, is not counted: connections are
	// opened, and what the target before has left behind is finished.
	settleTime = 60 * time.Millisecond

	// answerSize is the size of every body of the upstream.
	answerSize = 1024

	requestTimeout = 10 * time.Second
)

// slice is what was measured in one turn.
type slice struct {
	round, target int
	requests      int
	took          time.Duration
	cpu           time.Duration // of the target's processes
	p50, p99      time.Duration
}

func (s slice) throughput() float64 { return float64(s.requests) / s.took.Seconds() }

// cpuPerRequest is in microseconds.
func (s slice) cpuPerRequest() float64 {
	if s.requests == 0 {
		return 0
	}
	return float64(s.cpu.Microseconds()) / float64(s.requests)
}

func (s slice) p50ms() float64 { return s.p50.Seconds() * 1e3 }
func (s slice) p99ms() float64 { return s.p99.Seconds() * 1e3 }

// phase is a turn that is under way. Workers compare its address.
type phase struct {
	index    int
	target   *target
	counting atomic.Bool
}

// driver sends requests to targets in turn, over connections that it keeps.
//
// The client is fasthttp's, the engine of the load tool bombardier: load
// generator, proxy and upstream share the machine, so that it matters how little
// the client takes. One process and one client for all targets is what allows to
// change between them every few hundred milliseconds.
type driver struct {
	calls   []call
	current atomic.Pointer[phase]
	failure atomic.Pointer[error]
}

// drive gives the targets their turns and returns what was measured.
func (d *driver) drive(ctx context.Context, targets []*target, turns []turn) ([]slice, error) {
	var workers sync.WaitGroup
	latencies := make([][][]time.Duration, connections)
	d.failure.Store(nil)
	first := &phase{index: -1, target: targets[turns[0].target]}
	d.current.Store(first)
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
	d.current.Store(nil)
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

// turn drives one target for one slice.
func (d *driver) turn(ctx context.Context, index int, t *target) (slice, error) {
	p := &phase{index: index, target: t}
	d.current.Store(p)
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

// work sends one request after the other until there is no turn any more.
func (d *driver) work(w int, latencies [][]time.Duration) {
	requests := requestsOf(part(d.calls, w, connections))
	defer func() {
		for _, r := range requests {
			fasthttp.ReleaseRequest(r)
		}
	}()
	response := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(response)
	for i := rand.IntN(len(requests)); ; i++ {
		p := d.current.Load()
		if p == nil {
			return
		}
		began := time.Now()
		err := p.target.client.Do(requests[i%len(requests)], response)
		took := time.Since(began)
		if err = check(response, err); err != nil {
			err = fmt.Errorf("%s voids the run: %w", p.target.name, err)
			d.failure.CompareAndSwap(nil, &err)
			return
		}
		if p.counting.Load() {
			latencies[p.index] = append(latencies[p.index], took)
		}
	}
}

// check accepts the upstream's answer only: all requests are allowed ones, so
// that anything else means that something else was measured than was meant.
func check(response *fasthttp.Response, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("a request failed: %w", err)
	case response.StatusCode() != fasthttp.StatusOK:
		return fmt.Errorf("a request was answered with status %d (%s)", response.StatusCode(), response.Header.Peek("X-Scopegate-Reason"))
	case len(response.Body()) != answerSize:
		return fmt.Errorf("an answer has %d bytes instead of %d", len(response.Body()), answerSize)
	}
	return nil
}

// part returns every n-th call, beginning with the i-th.
func part(calls []call, i, n int) (own []call) {
	for ; i < len(calls); i += n {
		own = append(own, calls[i])
	}
	return own
}

func requestsOf(calls []call) []*fasthttp.Request {
	requests := make([]*fasthttp.Request, len(calls))
	for i, c := range calls {
		r := fasthttp.AcquireRequest()
		// The host is the same for all targets, so that they can share requests;
		// none of them looks at it.
		r.SetRequestURI("http://localhost" + c.path)
		r.Header.SetUserAgent("databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.token)
		requests[i] = r
	}
	return requests
}

func newClient(address string) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr:                      address,
		MaxConns:                  connections,
		MaxIdleConnDuration:       time.Hour,
		MaxIdemponentCallAttempts: 1, // a request that must be repeated is a finding
		DisablePathNormalizing:    true,
		ReadTimeout:               requestTimeout,
		WriteTimeout:              requestTimeout,
		Dial: func(address string) (net.Conn, error) {
			return net.DialTimeout("tcp", address, requestTimeout)
		},
	}
}

// warmUpTime bounds how long the targets may take to answer every token.
const warmUpTime = 60 * time.Second

// warmUp sends every call to every target once. A gateway that has not looked a
// token up yet may say that it is busy; then the call is repeated.
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
	response := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(response)
	for _, r := range requestsOf(calls) {
		for {
			err := t.client.Do(r, response)
			if err == nil && response.StatusCode() == fasthttp.StatusServiceUnavailable {
				if err := d.pause(ctx, 20*time.Millisecond); err != nil {
					return fmt.Errorf("the gateway stays too busy to look up tokens: %w", err)
				}
				continue
			}
			if err := check(response, err); err != nil {
				return err
			}
			break
		}
	}
	return nil
}
