package fleet

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// traffic sends requests to gateways, and compares every answer with what is true.
type traffic struct {
	t      *testing.T
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	good    []string
	sent    int
	slowest time.Duration
	wrong   []string
}

// startTraffic uses tokens, which all pass, at every gateway until the end of the test or
// until end is called.
func startTraffic(t *testing.T, good []fakeworkspace.Token, all ...*fleettest.Gateway) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &traffic{t: t, cancel: cancel}
	for _, token := range good {
		f.good = append(f.good, token.Value)
	}
	for _, g := range all {
		f.wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				f.send(g, i)
				time.Sleep(3 * time.Millisecond) // two cores serve everything
			}
		})
	}
	t.Cleanup(func() { cancel(); f.wg.Wait() })
	return f
}

func (f *traffic) send(g *fleettest.Gateway, i int) {
	f.mu.Lock()
	token := f.good[i%len(f.good)]
	f.mu.Unlock()
	got, err := g.Request(http.MethodGet, harness.JobsList, token, "")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent++
	f.slowest = max(f.slowest, got.Took)
	if err != nil || !got.Passes() {
		f.wrong = append(f.wrong, fmt.Sprintf("%s: %v %v", g.Name, got, err))
	}
}

// lap returns the slowest request since the last lap, once each gateway has had some.
func (f *traffic) lap() time.Duration {
	f.t.Helper()
	f.mu.Lock()
	begin := f.sent
	f.mu.Unlock()
	harness.WaitFor(f.t, "requests", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.sent >= begin+50
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	slowest := f.slowest
	f.slowest = 0
	return slowest
}

// end stops the requests and fails the test if an answer was wrong.
func (f *traffic) end() {
	f.t.Helper()
	f.cancel()
	f.wg.Wait()
	for i, wrong := range f.wrong {
		if i == 10 {
			f.t.Errorf("and %d more", len(f.wrong)-i)
			break
		}
		f.t.Errorf("wrong: %s", wrong)
	}
	if f.sent == 0 {
		f.t.Error("nothing was sent")
	}
}
