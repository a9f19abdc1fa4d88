package tokens

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// relayService is a service that passes on what it was told a while ago, as an edge's does.
type relayService struct {
	scripted
	mu      sync.Mutex
	answer  func(q Query) (Answer, error)
	queries []Query
}

func (s *relayService) Lookup(_ context.Context, q Query) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.ID != neutral {
		s.queries = append(s.queries, q)
	}
	return s.answer(q)
}

func (s *relayService) List(context.Context) ([]*Info, []Faulty, error) {
	s.scripted.mu.Lock()
	defer s.scripted.mu.Unlock()
	s.lists++
	return nil, nil, &UnavailableError{Outage: NoList}
}

func (s *relayService) asked() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries
}

// aged answers as an authority whose facts are of a fixed age.
func aged(age time.Duration) func(Query) (Answer, error) {
	return func(q Query) (Answer, error) {
		return Answer{ID: q.ID, Info: &Info{ID: q.ID}, At: time.Now().Add(-age)}, nil
	}
}

func goneFor(age time.Duration) func(Query) (Answer, error) {
	return func(Query) (Answer, error) { return Answer{At: time.Now().Add(-age)}, ErrUnknownToken }
}

// stuck answers with what was known at one time.
func stuck(at time.Time) func(Query) (Answer, error) {
	return func(q Query) (Answer, error) { return Answer{ID: q.ID, Info: &Info{ID: q.ID}, At: at}, nil }
}

// TestRelayedAges: facts are as old as the service says, however they are used.
func TestRelayedAges(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	noStale := fresh
	noStale.MaxStale = 0
	for _, test := range []struct {
		name   string
		answer func(Query) (Answer, error)
		fresh  Freshness
		source Source
		age    time.Duration
		outage Outage
	}{
		{"young", aged(30 * time.Second), fresh, FromLookup, 30 * time.Second, ""},
		{"of now", func(q Query) (Answer, error) { return Answer{ID: q.ID, Info: &Info{ID: q.ID}}, nil }, fresh, FromLookup, 0, ""},
		{"from the future", aged(-time.Hour), fresh, FromLookup, 0, ""},
		{"older than the ttl", aged(5 * time.Minute), fresh, FromStale, 5 * time.Minute, ""},
		{"older than the ttl, and none may be", aged(5 * time.Minute), noStale, "", 0, TooOld},
		{"older than max_stale", aged(time.Hour), fresh, "", 0, TooOld},
		{"another token's", func(Query) (Answer, error) { return Answer{Info: &Info{ID: garbage(2)}}, nil }, fresh, "", 0, BadAnswer},
		{"none", func(Query) (Answer, error) { return Answer{}, nil }, fresh, "", 0, BadAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newResolver(&relayService{answer: test.answer}, quick, withJitter(never))
				defer r.Close()
				for range 2 {
					facts, err := r.Resolve(t.Context(), id, test.fresh)
					var outage *UnavailableError
					if test.outage != "" && (!errors.As(err, &outage) || outage.Outage != test.outage) {
						t.Errorf("got %v, want %s", err, test.outage)
					}
					if test.outage == "" && (err != nil || facts.Source != test.source || time.Since(facts.At) != test.age) {
						t.Errorf("from %q, %v old, %v; want %q and %v", facts.Source, time.Since(facts.At), err, test.source, test.age)
					}
					if test.source == FromLookup {
						return // the second time they are in the cache
					}
				}
			})
		})
	}
}

// TestRelayedQueries: what the service is asked for.
func TestRelayedQueries(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	synctest.Test(t, func(t *testing.T) {
		service := &relayService{answer: aged(30 * time.Second)}
		r := newResolver(service, quick, withJitter(never))
		defer r.Close()
		last := func() Query {
			synctest.Wait()
			all := service.asked()
			return all[len(all)-1]
		}
		resolveOrFail(t, r, id)
		if got := last(); time.Since(got.After) != time.Minute || got.Lane != First {
			t.Errorf("at first: after %v ago, lane %d", time.Since(got.After), got.Lane)
		}
		time.Sleep(20 * time.Second) // in the last fifth
		resolveOrFail(t, r, id)
		if got := last(); time.Since(got.After) != 48*time.Second || got.Lane != Known {
			t.Errorf("a refresh: after %v ago, lane %d", time.Since(got.After), got.Lane)
		}
		if _, err := r.Resolve(t.Context(), id, Freshness{UnknownExpiry: true}); err == nil {
			t.Error("facts of 30 seconds serve a reader who wants to know what holds now")
		}
		if got := last(); !got.After.Equal(time.Now()) {
			t.Errorf("a reader without a ttl: after %v ago", time.Since(got.After))
		}
	})
}

// TestRelayedMeanwhile: what another look-up was told meanwhile serves only who may use facts
// of that age.
func TestRelayedMeanwhile(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	for age, asked := range map[time.Duration]int{20 * time.Second: 1, time.Minute: 0} {
		service := &relayService{answer: aged(0)}
		r := newResolver(service, quick, withJitter(never))
		defer r.Close()
		r.cache.rememberFact(id, fact{info: &Info{ID: id}, at: time.Now().Add(-30 * time.Second), origin: fromRelay})
		_, err := r.lookup(lookupRequest{id: id, lane: First, patient: true, after: time.Now().Add(-age)})
		if got := len(service.asked()); err != nil || got != asked {
			t.Errorf("who wants facts of %v: asked %d times, %v", age, got, err)
		}
	}
}

// TestRelayedLag: a service that has nothing younger is asked once a second.
func TestRelayedLag(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	for _, test := range []struct {
		name   string
		first  time.Duration // the age of the facts
		source Source
		err    error
	}{
		{"in the last fifth of the ttl", 50 * time.Second, FromCache, nil},
		{"after the ttl", 2 * time.Minute, FromStale, nil},
		{"after max_stale", time.Hour, "", &UnavailableError{Outage: TooOld}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := &relayService{answer: stuck(time.Now().Add(-test.first))}
				r := newResolver(service, quick, withJitter(never))
				defer r.Close()
				_, _ = r.Resolve(t.Context(), id, fresh)
				for range 500 {
					facts, err := r.Resolve(t.Context(), id, fresh)
					if facts.Source != test.source || (err == nil) != (test.err == nil) {
						t.Fatalf("from %q, %v", facts.Source, err)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if got := len(service.asked()); got < 5 || got > 7 {
					t.Errorf("asked %d times in five seconds", got)
				}
				service.mu.Lock()
				service.answer = aged(0)
				service.mu.Unlock()
				time.Sleep(lagRest)
				_, _ = r.Resolve(t.Context(), id, fresh)
				synctest.Wait()
				if facts, err := r.Resolve(t.Context(), id, fresh); err != nil || time.Since(facts.At) > time.Second {
					t.Errorf("when there is something younger: %v old, %v", time.Since(facts.At), err)
				}
			})
		})
	}
}

// TestRelayedAfterPurge: a change is never undone by what was known before it.
func TestRelayedAfterPurge(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	synctest.Test(t, func(t *testing.T) {
		service := &relayService{answer: stuck(time.Now())}
		r := newResolver(service, quick, withJitter(never))
		defer r.Close()
		resolveOrFail(t, r, id)
		time.Sleep(10 * time.Second)
		r.ForgetAll()
		var outage *UnavailableError
		if facts, err := r.Resolve(t.Context(), id, fresh); !errors.As(err, &outage) || outage.Outage != TooOld {
			t.Errorf("the authority missed the change: facts of %v ago, %v", time.Since(facts.At), err)
		}
		for age, want := range map[time.Duration]Source{0: "", 3 * time.Minute: FromStale} {
			other := newResolver(&relayService{answer: aged(0)}, quick, withJitter(never))
			defer other.Close()
			resolveOrFail(t, other, id)
			time.Sleep(2 * time.Minute)
			other.service.(*relayService).answer = goneFor(age)
			if facts, err := other.Resolve(t.Context(), id, fresh); facts.Source != want {
				t.Errorf("unknown %v ago: %q, %v", age, facts.Source, err)
			}
		}
		service.mu.Lock()
		service.answer = goneFor(0)
		service.mu.Unlock()
		r.ForgetAll()
		if _, err := r.Resolve(t.Context(), id, fresh); !errors.Is(err, ErrUnknownToken) {
			t.Errorf("it hears of it: %v", err)
		}
	})
}

// TestRelayedPurgeMeanwhile: an old answer that was on its way when the token was purged keeps
// nobody from asking again.
func TestRelayedPurgeMeanwhile(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	for name, change := range map[string]func(*Resolver){
		"the token": func(r *Resolver) { r.Purge(id) },
		"all":       (*Resolver).ForgetAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var r *Resolver
				service := &relayService{}
				service.answer = func(q Query) (Answer, error) {
					if len(service.queries) == 1 {
						change(r)
						return aged(time.Hour)(q)
					}
					return aged(0)(q)
				}
				r = newResolver(service, quick, withJitter(never))
				defer r.Close()
				_, _ = r.Resolve(t.Context(), id, fresh)
				resolveOrFail(t, r, id)
			})
		})
	}
}

// TestRelayedUnknown: that there is no such token may be old news too.
func TestRelayedUnknown(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	for _, test := range []struct {
		name   string
		age    time.Duration
		within int // look-ups in five seconds
	}{
		{"young", time.Second, 1},
		{"older than the negative ttl", time.Minute, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := &relayService{answer: goneFor(test.age)}
				r := newResolver(service, quick, withJitter(never))
				defer r.Close()
				for range 500 {
					if _, err := r.Resolve(t.Context(), id, fresh); !errors.Is(err, ErrUnknownToken) {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if got := len(service.asked()); got > test.within {
					t.Errorf("asked %d times, want %d", got, test.within)
				}
			})
		})
	}
}

// TestRelayedOutages: what an authority cannot do is no fault of the token that was asked
// about.
func TestRelayedOutages(t *testing.T) {
	t.Parallel()
	id, other := garbage(1), garbage(2)
	for _, test := range []struct {
		said    string
		neutral bool // fails too
		outage  Outage
		pauses  bool // after it was said once
	}{
		{"overloaded", false, Overloaded, false},
		{"closed", false, Closed, false},
		{"untried", false, Untried, false},
		{"too_old", false, TooOld, false},
		{"paused", false, Paused, false},
		{"admin_rejected", true, AuthorityRejected, true},
		{"admin_not_configured", true, AuthorityRejected, true},
		{"tokens_disabled", true, Disabled, true},
		{"unreachable", true, Unreachable, false},
		{"authority_unreachable", false, AuthorityUnreachable, false},
	} {
		t.Run(test.said, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := &relayService{answer: aged(0)}
				r := newResolver(service, quick, withJitter(never))
				defer r.Close()
				resolveOrFail(t, r, id)
				time.Sleep(2 * time.Minute)
				outage, ok := ParseOutage(test.said)
				if !ok {
					t.Fatal("it is no outage")
				}
				service.mu.Lock()
				service.answer = func(q Query) (Answer, error) {
					if q.ID == neutral && !test.neutral {
						return Answer{}, ErrUnknownToken
					}
					return Answer{}, &UnavailableError{Outage: outage}
				}
				service.mu.Unlock()
				if facts := resolveOrFail(t, r, id); facts.Source != FromStale {
					t.Errorf("from %q", facts.Source)
				}
				if pauses := r.Outage() != ""; pauses != test.pauses {
					t.Errorf("pauses: %t", pauses)
				}
				var got *UnavailableError
				if _, err := r.Resolve(t.Context(), other, fresh); !errors.As(err, &got) || got.Root().Outage != test.outage {
					t.Errorf("got %v", err)
				}
				service.mu.Lock()
				service.answer = aged(0)
				service.mu.Unlock()
				time.Sleep(fresh.NegativeTTL)
				if facts := resolveOrFail(t, r, id); facts.Source == FromStale {
					resolveOrFail(t, r, other)
				}
			})
		})
	}
}

// TestNoList: that an edge cannot list is no outage, and costs nothing.
func TestNoList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &relayService{answer: aged(0)}
		r := newResolver(service, Settings{Size: 100, Rate: 10, Concurrency: 100, Timeout: 5 * time.Second}, withJitter(never))
		defer r.Close()
		for i := range 50 {
			r.cache.remember(garbage(i), &Info{ID: garbage(i)}, time.Now(), 0)
		}
		for range 20 {
			r.ForgetAll()
			resolveOrFail(t, r, garbage(1))
			time.Sleep(10 * time.Second)
		}
		if service.countLists() != 1 || r.Outage() != "" {
			t.Errorf("%d lists, outage %q", service.countLists(), r.Outage())
		}
		var outage *UnavailableError
		if _, _, err := r.List(t.Context()); !errors.As(err, &outage) || outage.Outage != NoList || outage.Outage.Advice() == "" {
			t.Errorf("who asks for the list gets %v", err)
		}
	})
}

func TestParseOutage(t *testing.T) {
	t.Parallel()
	for _, o := range Outages {
		got, ok := ParseOutage(string(o))
		if !ok || outageHints[got] == "" || got == Rejected || got == NotConfigured || got == NoList {
			t.Errorf("%s becomes %q", o, got)
		}
		if o.NeedsOperator() && o != EdgeRefused && !got.NeedsOperator() {
			t.Errorf("%s becomes %s, which ends by itself", o, got)
		}
	}
	for _, text := range []string{"", "Timeout", "found", "admin_rejected "} {
		if got, ok := ParseOutage(text); ok {
			t.Errorf("%q becomes %s", text, got)
		}
	}
}
