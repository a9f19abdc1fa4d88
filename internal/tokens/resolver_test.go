package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(runs{m}) }

// scripted is a token service that a test controls.
type scripted struct {
	mu     sync.Mutex
	calls  int // without those of the neutral token
	probes int // those
	lists  int
	answer func(ctx context.Context, id ID) (*Info, error)
	list   func(ctx context.Context) ([]*Info, error)
}

func (s *scripted) Lookup(ctx context.Context, q Query) (Answer, error) {
	id := q.ID
	s.mu.Lock()
	if id == neutral {
		s.probes++
	} else {
		s.calls++
	}
	answer := s.answer
	s.mu.Unlock()
	info, err := answer(ctx, id)
	return Answer{ID: id, Info: info}, err
}

func (s *scripted) List(ctx context.Context) ([]*Info, []Faulty, error) {
	s.mu.Lock()
	s.lists++
	list := s.list
	s.mu.Unlock()
	all, err := list(ctx)
	return all, nil, err
}

func (s *scripted) Close() {}

func (s *scripted) set(answer func(context.Context, ID) (*Info, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *scripted) countProbes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probes
}

func found(_ context.Context, id ID) (*Info, error) { return &Info{ID: id, Comment: "found"}, nil }

func unknown(context.Context, ID) (*Info, error) { return nil, ErrUnknownToken }

func failing(o Outage) func(context.Context, ID) (*Info, error) {
	return func(context.Context, ID) (*Info, error) { return nil, &UnavailableError{Outage: o} }
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// quick are settings under which no look-up has to wait for its turn.
var quick = Settings{Size: 100, Rate: 1000, Concurrency: 100, Timeout: 5 * time.Second}

func newTestResolver(t testing.TB, d Service, c *clock) *Resolver {
	r := newResolver(d, quick, WithClock(c.Now), withJitter(never))
	t.Cleanup(r.Close)
	return r
}

// never is no jitter.
func never(time.Duration) time.Duration { return 0 }

var fresh = Freshness{TTL: time.Minute, NegativeTTL: 10 * time.Second, MaxStale: 15 * time.Minute, UnknownExpiry: true}

func TestResolverRemembers(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	type step struct {
		wait   time.Duration
		answer func(context.Context, ID) (*Info, error)
		source Source
		err    string
		calls  int // in total
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a known token is looked up once in its ttl", []step{
			{0, found, FromLookup, "", 1},
			{47 * time.Second, found, FromCache, "", 1},
			{13 * time.Second, found, FromLookup, "", 2},
		}},
		{"an unknown token is looked up once in its negative ttl", []step{
			{0, unknown, "", ErrUnknownToken.Error(), 1},
			{9 * time.Second, found, "", ErrUnknownToken.Error(), 1},
			{time.Second, found, FromLookup, "", 2},
		}},
		{"a revoked token is unknown after its ttl, without stale facts", []step{
			{0, found, FromLookup, "", 1},
			{time.Minute, unknown, "", ErrUnknownToken.Error(), 2},
			{10 * time.Second, failing(ServerError), "", "looking up a token: " + outageHints[ServerError], 3},
		}},
		{"stale facts are used while the workspace fails, up to the limit", []step{
			{0, found, FromLookup, "", 1},
			{time.Minute, failing(ServerError), FromStale, "", 2},
			{15*time.Minute - time.Second, failing(ServerError), FromStale, "", 3},
			{time.Second, failing(ServerError), "", "looking up a token: " + outageHints[ServerError], 3}, // by the neutral token
		}},
		{"a refused admin credential leaves stale facts in use", []step{
			{0, found, FromLookup, "", 1},
			{time.Minute, failing(Rejected), FromStale, "", 2},
		}},
		{"facts are fresh again after an outage", []step{
			{0, found, FromLookup, "", 1},
			{2 * time.Minute, failing(Unreachable), FromStale, "", 2},
			{time.Minute, found, FromLookup, "", 3},
			{47 * time.Second, found, FromCache, "", 3},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			service := &scripted{}
			r := newTestResolver(t, service, c)
			for i, step := range test.steps {
				c.advance(step.wait)
				service.set(step.answer)
				facts, err := r.Resolve(context.Background(), id, fresh)
				if got := fmt.Sprint(err); err != nil && got != step.err || err == nil && step.err != "" {
					t.Fatalf("step %d: error %v, want %q", i, err, step.err)
				}
				if facts.Source != step.source {
					t.Errorf("step %d: facts from %q, want %q", i, facts.Source, step.source)
				}
				if got := service.count(); got != step.calls {
					t.Errorf("step %d: %d look-ups, want %d", i, got, step.calls)
				}
			}
		})
	}
}

func TestResolverWithoutMaxStale(t *testing.T) {
	t.Parallel()
	c := newClock()
	service := &scripted{answer: found}
	r := newTestResolver(t, service, c)
	current := fresh
	current.MaxStale = 0
	if _, err := r.Resolve(context.Background(), IDOf(somePAT), current); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	service.set(failing(ServerError))
	var outage *UnavailableError
	if _, err := r.Resolve(context.Background(), IDOf(somePAT), current); !errors.As(err, &outage) {
		t.Errorf("got %v, want an outage", err)
	}
}

func TestResolverSharesLookups(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
		<-release
		return found(ctx, id)
	}}
	r := newTestResolver(t, service, newClock())

	const crowd = 100
	var arrived, done sync.WaitGroup
	errs := make([]error, crowd)
	for i := range crowd {
		arrived.Add(1)
		done.Go(func() {
			arrived.Done()
			_, errs[i] = r.Resolve(context.Background(), IDOf(somePAT), fresh)
		})
	}
	arrived.Wait()
	// A caller who leaves does not cancel the look-up for the others.
	leaving, leave := context.WithCancel(context.Background())
	leave()
	if _, err := r.Resolve(leaving, IDOf(somePAT), fresh); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who left got %v", err)
	}
	close(release)
	done.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	}
	if got := service.count(); got != 1 {
		t.Errorf("%d look-ups, want 1", got)
	}
}

func TestResolverGarbageDoesNotEvict(t *testing.T) {
	t.Parallel()
	service := &scripted{answer: found}
	c := newClock()
	r := newResolver(service, Settings{Size: 10, Rate: 1_000_000, Concurrency: 10, Timeout: 30 * time.Second}, WithClock(c.Now))
	t.Cleanup(r.Close)
	good := IDOf(somePAT)
	if _, err := r.Resolve(context.Background(), good, fresh); err != nil {
		t.Fatal(err)
	}
	service.set(unknown)
	for i := range 2 * maxUnknown {
		if _, err := r.Resolve(context.Background(), IDOf(fmt.Sprint("dapi", i)), fresh); !errors.Is(err, ErrUnknownToken) {
			t.Fatal(err)
		}
	}
	if facts, err := r.Resolve(context.Background(), good, fresh); err != nil || facts.Source != FromCache {
		t.Errorf("the valid token came from %q, %v", facts.Source, err)
	}
	if got := r.cache.unknowns(); got > maxUnknown {
		t.Errorf("%d unknown tokens are cached, the limit is %d", got, maxUnknown)
	}
}

func TestResolverLimitsLookups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that a busy machine cannot run into the time-out
		c := newClock()
		service := &scripted{answer: unknown}
		r := newResolver(service, Settings{Size: 10, Rate: 5, Concurrency: 5, Timeout: 10 * time.Millisecond}, WithClock(c.Now))
		t.Cleanup(r.Close)
		overloaded := 0
		for i := range 100 {
			_, err := r.Resolve(context.Background(), IDOf(fmt.Sprint("dapi", i)), fresh)
			var outage *UnavailableError
			switch {
			case errors.As(err, &outage) && outage.Outage == Overloaded && outage.RetryAfter > 0:
				overloaded++
			case !errors.Is(err, ErrUnknownToken):
				t.Fatalf("got %v", err)
			}
		}
		// The clock stands still, so there are no turns after the burst.
		if got := service.count(); got < 5 || got > 7 {
			t.Errorf("%d look-ups, want about 5", got)
		}
		if overloaded != 100-service.count() {
			t.Errorf("%d turned away and %d looked up, of 100", overloaded, service.count())
		}
	})
}

func TestResolverPausesDuringOutage(t *testing.T) {
	t.Parallel()
	c := newClock()
	service := &scripted{answer: failing(TimedOut)}
	r := newTestResolver(t, service, c)
	resolve := func(i int) *UnavailableError {
		t.Helper()
		var outage *UnavailableError
		_, err := r.Resolve(context.Background(), IDOf(fmt.Sprint("dapi", i)), fresh)
		if !errors.As(err, &outage) {
			t.Fatalf("got %v, want an outage", err)
		}
		return outage
	}
	for i := range breakerTrip - 1 { // and the neutral token
		if got := resolve(i); got.Outage != TimedOut {
			t.Fatalf("failure %d: %v", i, got)
		}
	}
	for i := range 10 {
		if got := resolve(i); got.Outage != Paused || got.RetryAfter <= 0 {
			t.Fatalf("during the pause: %v", got)
		}
	}
	if got := service.count() + service.countProbes(); got != breakerTrip {
		t.Errorf("%d look-ups, want %d", got, breakerTrip)
	}
	c.advance(breakerFirstPause)
	if got := resolve(0); got.Outage != TimedOut {
		t.Errorf("the probe after the pause: %v", got)
	}
	c.advance(breakerFirstPause)
	if got := resolve(0); got.Outage != Paused {
		t.Errorf("the pause did not grow: %v", got)
	}
	c.advance(breakerFirstPause)
	service.set(found)
	for i := range 3 {
		if _, err := r.Resolve(context.Background(), IDOf(fmt.Sprint("dapi", i)), fresh); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	}
}

func TestResolverHonorsRetryAfter(t *testing.T) {
	t.Parallel()
	c := newClock()
	service := &scripted{answer: func(context.Context, ID) (*Info, error) {
		return nil, &UnavailableError{Outage: Throttled, RetryAfter: 20 * time.Second}
	}}
	r := newTestResolver(t, service, c)
	var outage *UnavailableError
	for range 2 {
		if _, err := r.Resolve(context.Background(), IDOf(somePAT), fresh); !errors.As(err, &outage) {
			t.Fatalf("got %v", err)
		}
	}
	if outage.Outage != Paused || outage.RetryAfter != 20*time.Second || service.count() != 1 {
		t.Errorf("after one 429: %v, again in %s, %d look-ups", outage, outage.RetryAfter, service.count())
	}
	c.advance(20 * time.Second)
	service.set(found)
	if _, err := r.Resolve(context.Background(), IDOf(somePAT), fresh); err != nil {
		t.Errorf("when it is due: %v", err)
	}
}

func TestResolverPurge(t *testing.T) {
	t.Parallel()
	service := &scripted{answer: found}
	r := newTestResolver(t, service, newClock())
	id := IDOf(somePAT)
	if r.Purge(id) {
		t.Error("the token was known before any look-up")
	}
	for want := 1; want <= 2; want++ {
		if _, err := r.Resolve(context.Background(), id, fresh); err != nil {
			t.Fatal(err)
		}
		if got := service.count(); got != want {
			t.Errorf("%d look-ups, want %d", got, want)
		}
		if !r.Purge(id) {
			t.Error("the token was unknown after a look-up")
		}
	}
}

func TestResolverCloseEndsLookups(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	service := &scripted{answer: func(ctx context.Context, _ ID) (*Info, error) {
		close(started)
		<-ctx.Done()
		return nil, &UnavailableError{Outage: TimedOut, Err: ctx.Err()}
	}}
	r := newResolver(service, quick)
	result := make(chan error)
	go func() {
		_, err := r.Resolve(context.Background(), IDOf(somePAT), fresh)
		result <- err
	}()
	<-started
	r.Close()
	var outage *UnavailableError
	if err := <-result; !errors.As(err, &outage) {
		t.Errorf("got %v, want an outage", err)
	}
}
