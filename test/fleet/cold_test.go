package fleet

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

const tokensPath = "/api/2.0/token-management/tokens"

// TestColdTokenIsLookedUpOnce: a token that five gateways see for the first time at the same
// moment costs one look-up, and no request more than it takes.
func TestColdTokenIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(5, nil)
	const latency = 200 * time.Millisecond
	r.Workspace.Faults().Set(tokensPath, fakeworkspace.Latency(latency))
	for round := range 5 {
		token := r.Mint()
		r.Workspace.Reset()
		var wg sync.WaitGroup
		start := make(chan struct{})
		for _, g := range all {
			for range 4 {
				wg.Go(func() {
					<-start
					if got := g.Use(token.Value); !got.Passes() || got.Took > latency+fleettest.Slack()+500*time.Millisecond {
						t.Errorf("round %d, %s: %v", round, g.Name, got)
					}
				})
			}
		}
		close(start)
		wg.Wait()
		if got, excused := r.Workspace.Lookups(), unanswered(all); got < 1 || got > 1+excused {
			t.Errorf("round %d: %d look-ups, want 1; %d questions to the store had no answer in time", round, got, excused)
		}
	}
}

// TestUnknownTokenIsLookedUpOnce: what one gateway knows not to exist, the others do not ask
// for.
func TestUnknownTokenIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(3, nil)
	r.Workspace.Reset()
	invented := "dapi" + fleettest.RandomHex(16)
	for _, g := range all {
		if got := g.Use(invented); got.Reason != "unknown_token" {
			t.Errorf("%s: %v", g.Name, got)
		}
	}
	if got, excused := r.Workspace.Lookups(), unanswered(all); got < 1 || got > 1+excused {
		t.Errorf("%d look-ups, want 1; %d questions to the store had no answer in time", got, excused)
	}
}

// TestRestartFindsWhatIsKnown: a gateway that starts with an empty cache finds the facts of
// all tokens that others know.
func TestRestartFindsWhatIsKnown(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(2, nil)
	tokens := make([]fakeworkspace.Token, 50)
	for i := range tokens {
		tokens[i] = r.Mint()
		mustPass(t, tokens[i].Value, all[0])
	}
	all[1].Kill()
	all[1].Start()
	r.Workspace.Reset()
	for _, token := range tokens {
		mustPass(t, token.Value, all[1])
	}
	if got, excused := r.Workspace.Lookups(), unanswered(all); got > excused {
		t.Errorf("%d look-ups, want 0; %d questions to the store had no answer in time", got, excused)
	}
}

// TestBudget: a flood of invented tokens at all gateways makes them ask the workspace no more
// often than one gateway with that rate may, whether Redis works or not, and known tokens
// pass all the time.
func TestBudget(t *testing.T) {
	t.Parallel()
	const rate, gateways = 10, 3
	r := fleettest.New(t, true)
	all := r.Shared(gateways, func(_ int, s *fleettest.Setting) {
		s.Lookup = fmt.Sprintf("rate %d\nconcurrency 8\ntimeout 5s", rate)
	})
	known := r.Mint()
	mustPass(t, known.Value, all...)
	for _, test := range []struct {
		name  string
		begin func()
		burst float64 // of all gateways together
		works bool
	}{
		{"with Redis", func() {}, rate, true},
		// Each gateway has a share, with a burst of its own.
		{"without", func() { r.Redis.Pause() }, rate + gateways, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.begin()
			time.Sleep(1500 * time.Millisecond) // the budget is full again
			r.Workspace.Reset()
			traffic := startTraffic(t, []fakeworkspace.Token{known}, all...)
			var sent atomic.Int64
			var wg sync.WaitGroup
			before := unanswered(all)
			began := time.Now()
			const lasts = 4 * time.Second
			for _, g := range all {
				for range 4 {
					wg.Go(func() {
						for time.Since(began) < lasts {
							if got := g.Use("dapi" + fleettest.RandomHex(16)); got.Passes() {
								t.Errorf("%s: an invented token passed", g.Name)
							}
							sent.Add(1)
						}
					})
				}
			}
			wg.Wait()
			took := time.Since(began)
			traffic.end()
			most := rate*took.Seconds() + test.burst + 1
			if test.works {
				most += float64(unanswered(all) - before) // then a gateway takes from its share
			}
			if got := r.Workspace.Lookups(); float64(got) > most || got == 0 {
				t.Errorf("%d look-ups in %v for %d tokens, want at most %.0f", got, took, sent.Load(), most)
			}
		})
	}
}
