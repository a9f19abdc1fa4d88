package tokens

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ownAnswers are failures of one token's look-up, as the workspace may answer it.
var ownAnswers = map[string]*UnavailableError{
	"unusable":               unusable(WrongType, "expiry_time is not of type integer"),
	"another token":          unusable(OtherToken, "token_id is that of another token"),
	"not JSON":               {Outage: BadAnswer},
	"an odd status":          {Outage: BadAnswer, Err: errors.New("status 418")},
	"5xx":                    {Outage: ServerError},
	"5xx with Retry-After":   {Outage: ServerError, RetryAfter: time.Minute},
	"429":                    {Outage: Throttled},
	"429 with Retry-After":   {Outage: Throttled, RetryAfter: time.Minute},
	"401 or 403":             {Outage: Rejected},
	"404, tokens disabled":   {Outage: Disabled},
	"the connection broke":   {Outage: Unreachable, Err: errors.New("the connection broke")},
	"no answer, in its time": {Outage: TimedOut},
}

// copyOf returns a new error, because resolvers complete those that they get.
func copyOf(err *UnavailableError) *UnavailableError { c := *err; return &c }

// troubles records what a TokenObserver is told.
type troubles struct {
	recorder
	mu     sync.Mutex
	kinds  map[string]int
	refuse int
	waited int
}

func (o *troubles) Unusable(kind string, answers int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kinds == nil {
		o.kinds = make(map[string]int)
	}
	o.kinds[kind] += answers
}

func (o *troubles) Unjudgeable(ID, *UnavailableError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse++
}

func (o *troubles) Waited(error, time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waited++
}

// TestOwnFailures: a client repeats tokens whose look-ups fail, one kind after another and
// all kinds at once. Whoever comes beside it with a good token, or with one that the
// workspace does not know, gets the right answer, and it is no outage.
func TestOwnFailures(t *testing.T) {
	t.Parallel()
	all := make(map[ID]*UnavailableError)
	kinds := map[string]map[ID]*UnavailableError{"all kinds": all}
	for _, name := range slices.Sorted(maps.Keys(ownAnswers)) {
		kinds[name] = make(map[ID]*UnavailableError)
		for i := range 5 {
			id := IDOf(fmt.Sprint(name, i))
			kinds[name][id], all[id] = ownAnswers[name], ownAnswers[name]
		}
	}
	for name, bad := range kinds {
		for _, beside := range []time.Duration{0, 5 * time.Second} { // how often honest clients come; 0 for never
			t.Run(fmt.Sprint(name, ", others every ", beside), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { repeatOwnFailures(t, bad, beside) })
			})
		}
	}
}

func repeatOwnFailures(t *testing.T, bad map[ID]*UnavailableError, beside time.Duration) {
	const lasts = 2 * time.Minute
	var mu sync.Mutex
	asked := make(map[ID]int)
	service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
		mu.Lock()
		asked[id]++
		mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		switch failure, ok := bad[id]; {
		case ok && failure.Outage == TimedOut:
			<-ctx.Done()
			return nil, &UnavailableError{Outage: TimedOut}
		case ok:
			return nil, copyOf(failure)
		case id == neutral || id[0]%2 == 0:
			return nil, ErrUnknownToken
		}
		return &Info{ID: id, Expires: NeverExpires}, nil
	}}
	seen := new(troubles)
	settings := quick
	settings.Size = 10_000
	r := newResolver(service, settings, WithObserver(seen))
	defer r.Close()
	strict := fresh
	strict.UnknownExpiry = false

	var wg sync.WaitGroup
	stop := time.Now().Add(lasts)
	var repeats atomic.Int64
	for id := range bad {
		wg.Go(func() {
			for time.Now().Before(stop) {
				_, err := r.Resolve(t.Context(), id, strict)
				repeats.Add(1)
				var outage *UnavailableError
				if !errors.As(err, &outage) || outage.Outage == Paused || outage.Lasting || outage.Outage.NeedsOperator() || outage.RetryAfter <= 0 {
					t.Errorf("a bad token: %v, %+v", err, outage)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	for n := 0; beside > 0 && time.Now().Before(stop); n++ {
		id := IDOf(fmt.Sprint("honest", n))
		_, err := r.Resolve(t.Context(), id, strict)
		if wrong := err != nil; wrong != (id[0]%2 == 0) || wrong && !errors.Is(err, ErrUnknownToken) {
			t.Errorf("an honest token: %v", err)
		}
		time.Sleep(beside)
	}
	wg.Wait()
	if _, err := r.Resolve(t.Context(), IDOf("at the end"), strict); err != nil && !errors.Is(err, ErrUnknownToken) {
		t.Errorf("an honest token at the end: %v", err)
	}

	_, changes, _ := seen.take()
	if r.Outage() != "" || len(changes) != 1 || changes[0] != "" {
		t.Errorf("taken for an outage: %q", changes)
	}
	if seen.waited > 0 {
		t.Errorf("%d requests were told as met by an outage", seen.waited)
	}
	if got := int64(seen.refuse); got != repeats.Load() {
		t.Errorf("%d unjudgeable requests were told of %d", got, repeats.Load())
	}
	most := int(lasts/fresh.NegativeTTL) + 1
	for id := range bad {
		if asked[id] > most {
			t.Errorf("a bad token was looked up %d times", asked[id])
		}
	}
	if got := service.countProbes(); got > int(lasts/vouches) {
		t.Errorf("the neutral question was asked %d times", got)
	}
}

// TestOwnFailureOutlivesNoOutage: after a true outage the first to ask is a client that
// repeats a token whose own look-up goes on failing. The outage ends all the same.
func TestOwnFailureOutlivesNoOutage(t *testing.T) {
	t.Parallel()
	for name, failure := range ownAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			bad, good := garbage(1), garbage(2)
			service := &scripted{answer: failing(ServerError)}
			r := newTestResolver(t, service, c)
			for range 2 {
				for _, id := range []ID{bad, good} {
					if _, err := r.Resolve(t.Context(), id, fresh); !isOutage(err) {
						t.Fatal(err)
					}
				}
			}
			if r.Outage() != ServerError {
				t.Fatalf("the outage is %q", r.Outage())
			}
			service.set(func(ctx context.Context, id ID) (*Info, error) {
				switch id {
				case bad:
					return nil, copyOf(failure)
				case neutral:
					return nil, ErrUnknownToken
				}
				return found(ctx, id)
			})
			c.advance(breakerFirstPause)
			var outage *UnavailableError
			if _, err := r.Resolve(t.Context(), bad, fresh); !errors.As(err, &outage) || outage.Lasting || outage.Outage == Paused {
				t.Errorf("the bad token: %v", err)
			}
			if _, err := r.Resolve(t.Context(), good, fresh); err != nil || r.Outage() != "" {
				t.Errorf("a good token: %v, outage %q", err, r.Outage())
			}
		})
	}
}

// TestOwnFailureIsRemembered: for the negative ttl, with the answer; a purge forgets it.
func TestOwnFailureIsRemembered(t *testing.T) {
	t.Parallel()
	c := newClock()
	id := garbage(1)
	odd := func(_ context.Context, id ID) (*Info, error) {
		if id == neutral {
			return nil, ErrUnknownToken
		}
		return nil, unusable(DuplicateName, "")
	}
	service := &scripted{answer: odd}
	r := newTestResolver(t, service, c)
	ask := func(calls int) {
		t.Helper()
		var outage *UnavailableError
		_, err := r.Resolve(t.Context(), id, fresh)
		if !errors.As(err, &outage) || outage.Kind() != string(DuplicateName) || outage.RetryAfter <= 0 {
			t.Errorf("%v", err)
		}
		if got := service.count(); got != calls {
			t.Errorf("%d look-ups, want %d", got, calls)
		}
	}
	ask(1)
	c.advance(fresh.NegativeTTL - 1)
	ask(1)
	c.advance(1)
	ask(2)
	r.Purge(id)
	ask(3)
	r.Purge(id)
	service.set(found)
	if _, err := r.Resolve(t.Context(), id, fresh); err != nil {
		t.Error(err)
	}

	// Facts that are still fresh are used, but no stale ones beside an answer about this
	// very token; a workspace that cannot answer is another matter.
	service.set(odd)
	c.advance(fresh.TTL - time.Second)
	if facts, err := r.Resolve(t.Context(), id, fresh); err != nil || facts.Source != FromCache {
		t.Errorf("from %q, %v", facts.Source, err)
	}
	r.refreshed(t)
	calls := service.count()
	c.advance(time.Second)
	ask(calls)
	c.advance(fresh.NegativeTTL)
	service.set(func(_ context.Context, id ID) (*Info, error) {
		if id == neutral {
			return nil, ErrUnknownToken
		}
		return nil, &UnavailableError{Outage: ServerError}
	})
	if facts, err := r.Resolve(t.Context(), id, fresh); err != nil || facts.Source != FromStale {
		t.Errorf("from %q, %v", facts.Source, err)
	}
}

// refreshed waits until no refresh is running.
func (r *Resolver) refreshed(t *testing.T) {
	t.Helper()
	for range 5000 {
		r.refreshes.mu.Lock()
		n := len(r.refreshes.ids)
		r.refreshes.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("a refresh does not end")
}

// TestUnknownExpiry: each reader says whether facts without an expiry will do, wherever
// they come from.
func TestUnknownExpiry(t *testing.T) {
	t.Parallel()
	c, seen := newClock(), new(troubles)
	id := garbage(1)
	service := &scripted{answer: found} // its expiry is unknown
	r := newResolver(service, quick, WithClock(c.Now), WithObserver(seen), withJitter(never))
	t.Cleanup(r.Close)
	strict := fresh
	strict.UnknownExpiry = false
	for i := range 4 {
		var outage *UnavailableError
		if _, err := r.Resolve(t.Context(), id, strict); !errors.As(err, &outage) || outage.Outage != UnknownExpiry || outage.Lasting || outage.RetryAfter <= 0 {
			t.Errorf("without unknown_expiry allow: %v", err)
		}
		if facts, err := r.Resolve(t.Context(), id, fresh); err != nil || facts.Info.Expires.Known() {
			t.Errorf("with unknown_expiry allow: %v", err)
		}
		if i == 2 { // stale facts
			service.set(failing(ServerError))
			c.advance(fresh.TTL)
		}
	}
	if seen.kinds[string(NoExpiry)] != 1 || seen.refuse != 4 {
		t.Errorf("counted %v, told %d", seen.kinds, seen.refuse)
	}
}

// TestSyncWithFaultyTokens: a token of which the list says nothing usable is in the list all
// the same, and so is not taken for revoked. It is asked about alone.
func TestSyncWithFaultyTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd, good := garbage(1), garbage(2)
		service := &faultyLists{scripted: scripted{answer: found, list: listed("listed", odd, good)}}
		seen := new(troubles)
		r := newResolver(service, synced, withJitter(never), WithObserver(seen))
		defer r.Close()
		resolveOrFail(t, r, good)
		synctest.Wait()
		service.setList(listed("listed again", good))
		service.setFaulty(Faulty{odd, unusable(WrongType, "")})
		time.Sleep(synced.Sync)
		synctest.Wait()
		calls := service.count()
		if facts, err := r.Resolve(t.Context(), odd, slow); err != nil || facts.Source != FromLookup || service.count() != calls+1 {
			t.Errorf("the odd token: from %q, %v", facts.Source, err)
		}
		if facts, err := r.Resolve(t.Context(), good, slow); err != nil || facts.Info.Comment != "listed again" {
			t.Errorf("the good token: %v, %v", facts.Info, err)
		}
		if seen.kinds[string(WrongType)] != 1 || seen.kinds[string(NoExpiry)] == 0 {
			t.Errorf("counted %v", seen.kinds)
		}
	})
}

// faultyLists is a scripted service whose lists have faulty tokens.
type faultyLists struct {
	scripted
	faulty []Faulty
}

func (s *faultyLists) setFaulty(faulty ...Faulty) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faulty = faulty
}

func (s *faultyLists) List(ctx context.Context) ([]*Info, []Faulty, error) {
	list, _, err := s.scripted.List(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return list, s.faulty, err
}
