package tokens

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// recorder is an observer that records.
type recorder struct {
	mu      sync.Mutex
	lookups []string
	changes []Outage // "" for works again
	lists   []string
}

func (r *recorder) CacheUsed(string) {}

func (r *recorder) LookedUp(result string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookups = append(r.lookups, result)
}

func (r *recorder) ServiceChanged(err *UnavailableError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.changes = append(r.changes, "")
	} else {
		r.changes = append(r.changes, err.Outage)
	}
}

func (r *recorder) Waited(error, time.Duration, bool) {}

func (r *recorder) Synced(result string, _ int, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists = append(r.lists, result)
}

func (r *recorder) take() (lookups []string, changes []Outage, lists []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lookups, changes, lists = r.lookups, r.changes, r.lists
	r.lookups, r.changes, r.lists = nil, nil, nil
	return lookups, changes, lists
}

// TestResolverOutages takes every fault through the resolver: what known tokens get, what
// others get, how often the workspace is asked, and how it ends.
func TestResolverOutages(t *testing.T) {
	t.Parallel()
	current := fresh
	current.MaxStale = 0
	for _, test := range faults {
		if test.name == "another token's facts" {
			continue // concerns that token only
		}
		if test.want == UnusableAnswer {
			test.want = BadAnswer // where it is the answer to all questions
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			withFault(t, test.want, func(t *testing.T, workspace *fakeworkspace.Workspace, service Service) {
				token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
				id, stranger := IDOf(token.Value), IDOf(somePAT)
				settings := quick
				if test.want != TimedOut {
					settings.Timeout = 30 * time.Second // longer than a busy machine takes
				}
				c, seen := newClock(), new(recorder)
				r := newResolver(service, settings, WithClock(c.Now), WithObserver(seen), withJitter(never))
				t.Cleanup(r.Close)
				r.cache.remember(id, &Info{ID: id}, c.Now().Add(-fresh.TTL), 0)
				workspace.Faults().Set(test.prefix, test.fault)

				ask := func(id ID, f Freshness, want ...Outage) {
					t.Helper()
					facts, err := r.Resolve(context.Background(), id, f)
					var outage *UnavailableError
					switch {
					case len(want) == 0 && (err != nil || facts.Source != FromStale):
						t.Errorf("got facts from %q, %v; want stale ones", facts.Source, err)
					case len(want) > 0 && !errors.As(err, &outage):
						t.Errorf("got %v, want an outage", err)
					case len(want) > 0 && !slices.Contains(want, outage.Outage):
						t.Errorf("got %s, want %s", outage.Outage, want)
					case len(want) > 0 && outage.Outage == Paused && outage.RetryAfter < max(time.Second, test.retry):
						t.Errorf("told to retry after %s, the workspace said %s", outage.RetryAfter, test.retry)
					}
				}
				ask(id, fresh)
				ask(id, current, test.want, Paused)
				for range 5 {
					ask(id, fresh)
					ask(stranger, fresh, test.want, Paused)
				}
				if got := r.Outage(); got != test.want {
					t.Errorf("the outage is %q, want %q", got, test.want)
				}
				lookups, changes, _ := seen.take()
				if len(lookups) > breakerTrip || len(lookups) > 2 && test.retry > 0 { // the token's, and the neutral one
					t.Errorf("%d look-ups", len(lookups))
				}
				for _, got := range lookups {
					if got != string(test.want) {
						t.Errorf("observed %s, want %s", got, test.want)
					}
				}
				if len(changes) != 1 || changes[0] != test.want {
					t.Errorf("the token service changed to %q, want %q once", changes, test.want)
				}
				if r.Worked() {
					t.Error("Worked reports true")
				}

				// A probe in the background that fails after the clock moved pauses again.
				r.tasks.wg.Wait()
				c.advance(fresh.MaxStale) // also the end of any pause
				ask(id, fresh, test.want)
				r.tasks.wg.Wait()

				workspace.Faults().Clear()
				c.advance(maxRetryAfter)
				facts, err := r.Resolve(context.Background(), id, fresh)
				if err != nil || facts.Source != FromLookup {
					t.Errorf("after the fault: from %q, %v", facts.Source, err)
				}
				if _, err := r.Resolve(context.Background(), stranger, fresh); !errors.Is(err, ErrUnknownToken) {
					t.Errorf("after the fault: %v, want %v", err, ErrUnknownToken)
				}
				if _, changes, _ := seen.take(); len(changes) != 1 || changes[0] != "" || r.Outage() != "" || !r.Worked() {
					t.Errorf("the token service changed to %q, outage %q; want the end of it", changes, r.Outage())
				}
			})
		})
	}
}

// TestOutageDoesNotDelayStaleFacts has a workspace that hangs: once that is known, no
// request waits that stale facts will do for, not even for a probe.
func TestOutageDoesNotDelayStaleFacts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := IDOf(somePAT)
		service := &scripted{answer: func(ctx context.Context, _ ID) (*Info, error) {
			<-ctx.Done()
			return nil, &UnavailableError{Outage: TimedOut}
		}}
		r := newResolver(service, quick)
		defer r.Close()
		r.cache.remember(id, &Info{ID: id}, time.Now().Add(-fresh.TTL), 0)
		for range breakerTrip {
			resolveOrFail(t, r, id)
			synctest.Wait()
		}
		for range 300 {
			asked := time.Now()
			if facts := resolveOrFail(t, r, id); facts.Source != FromStale || time.Since(asked) > 0 {
				t.Fatalf("from %q after %s", facts.Source, time.Since(asked))
			}
			time.Sleep(time.Second)
		}
		// Pauses of 1 + 2 + 4 + 8 + 10 + 10 … s, up to a fourth of jitter, and 5 s for each
		// probe.
		if got := service.countProbes(); got < 15 || got > 25 {
			t.Errorf("%d probes in 300 s", got)
		}
		if got := service.count(); got > breakerTrip {
			t.Errorf("%d look-ups in 300 s", got)
		}
		service.set(found)
		time.Sleep(breakerLastPause*5/4 + quick.Timeout)
		resolveOrFail(t, r, id)
		synctest.Wait()
		if facts := resolveOrFail(t, r, id); facts.Source != FromCache {
			t.Errorf("after the outage: from %q", facts.Source)
		}
	})
}

// TestEndOfPause has hundreds of tokens wait for the end of an outage.
func TestEndOfPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tokens, rate = 300, 10
		service := &scripted{answer: func(context.Context, ID) (*Info, error) {
			return nil, &UnavailableError{Outage: Throttled, RetryAfter: 30 * time.Second}
		}}
		r := newResolver(service, Settings{Size: tokens, Rate: rate, Concurrency: 8, Timeout: 5 * time.Second})
		defer r.Close()
		for i := range tokens {
			r.cache.remember(garbage(i), &Info{ID: garbage(i)}, time.Now().Add(-fresh.TTL), 0)
		}
		everyone := func() {
			for i := range tokens {
				resolveOrFail(t, r, garbage(i))
			}
			synctest.Wait()
		}
		everyone()
		time.Sleep(30*time.Second - 1)
		everyone()
		if got := service.count(); got != 1 {
			t.Fatalf("%d look-ups before the Retry-After of the workspace", got)
		}
		service.set(func(ctx context.Context, id ID) (*Info, error) {
			time.Sleep(50 * time.Millisecond)
			return found(ctx, id)
		})
		time.Sleep(30*time.Second/breakerSpread + 1)
		everyone()
		if got := service.count() + service.countProbes(); got != 3 {
			t.Errorf("%d look-ups at the end of the pause, want the first and two neutral ones", got)
		}
		time.Sleep(50 * time.Millisecond)
		everyone()
		if got := service.count(); got > 2+rate+laneCount+1 {
			t.Errorf("%d look-ups at once when it worked again, at %d a second", got, rate)
		}
		for range 100 {
			time.Sleep(time.Second)
			everyone()
		}
		if facts := resolveOrFail(t, r, garbage(tokens-1)); facts.Source != FromCache {
			t.Errorf("at the end: from %q", facts.Source)
		}
	})
}

// TestPauseIsSpread checks that gateways that failed together do not retry together.
func TestPauseIsSpread(t *testing.T) {
	t.Parallel()
	b := Breaker{jitter: func(most time.Duration) time.Duration { return most }}
	now := newClock().Now()
	b.Failed(now, &UnavailableError{Outage: Throttled, RetryAfter: 20 * time.Second})
	if got := b.until.Sub(now); got != 25*time.Second {
		t.Errorf("a pause of %s, want up to a fourth more than 20s", got)
	}
}
