package tokens

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFleetAsksOnce: however many gateways want to know a cold token, one asks.
func TestFleetAsksOnce(t *testing.T) {
	t.Parallel()
	good, bad := garbage(1), garbage(2)
	synctest.Test(t, func(t *testing.T) {
		fleet, service := newFleet(), newTokens(good).service()
		observed := make([]events, 10)
		var gateways []*Resolver
		for i := range observed {
			gateways = append(gateways, fleet.join(t, service, quick, WithObserver(&observed[i])))
		}
		for range 3 { // the second time from the store, then from the cache
			var wg sync.WaitGroup
			for _, r := range gateways {
				wg.Go(func() {
					if facts, err := r.Resolve(t.Context(), good, fresh); err != nil || facts.Info.ID != good {
						t.Errorf("%v, %v", facts.Info, err)
					}
				})
				wg.Go(func() {
					if _, err := r.Resolve(t.Context(), bad, fresh); !errors.Is(err, ErrUnknownToken) {
						t.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
		}
		if got := service.count(); got != 2 {
			t.Errorf("%d look-ups of two tokens", got)
		}
		total := make(map[string]int)
		for i := range observed {
			for result, n := range observed[i].shared {
				total[result] += n
			}
		}
		if want := map[string]int{"miss": 20, "found": 9, "unknown": 9}; !maps.Equal(total, want) {
			t.Errorf("observed %v, want %v", total, want)
		}
		fleet.purge(good)
		late := fleet.join(t, service, quick)
		for _, r := range gateways {
			resolveOrFail(t, r, good)
		}
		if got := service.count(); got != 3 {
			t.Errorf("%d look-ups after a change", got-2)
		}
		if facts, err := late.Resolve(t.Context(), good, fresh); err != nil || time.Since(facts.At) != 50*time.Millisecond {
			t.Errorf("a gateway that came later: %v old, %v", time.Since(facts.At), err)
		}
	})
}

// TestFleetFinds: what others found out is as old as it is.
func TestFleetFinds(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	known := func(age time.Duration) Answer { return Answer{ID: id, Info: &Info{ID: id}, At: time.Now().Add(-age)} }
	gone := func(age time.Duration) Answer { return Answer{ID: id, At: time.Now().Add(-age)} }
	always := Freshness{NegativeTTL: time.Minute, UnknownExpiry: true}
	for _, test := range []struct {
		name   string
		answer func() Answer
		fresh  Freshness
		calls  int
		age    time.Duration
	}{
		{"young facts", func() Answer { return known(59 * time.Second) }, fresh, 0, 59 * time.Second},
		{"facts as old as the ttl", func() Answer { return known(time.Minute) }, fresh, 1, 50 * time.Millisecond},
		{"facts for who asks always", func() Answer { return known(0) }, always, 1, 50 * time.Millisecond},
		{"facts from a clock that is fast, for who asks always", func() Answer { return known(-3 * time.Second) }, always, 1, 50 * time.Millisecond},
		{"facts from a clock that is fast", func() Answer { return known(-3 * time.Second) }, fresh, 0, 0},
		{"unknown just now", func() Answer { return gone(9 * time.Second) }, fresh, 0, -1},
		{"unknown as long as the negative ttl", func() Answer { return gone(10 * time.Second) }, fresh, 1, 50 * time.Millisecond},
		{"another token's facts", func() Answer { return Answer{ID: id, Info: &Info{ID: garbage(2)}, At: time.Now()} }, fresh, 1, 50 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fleet, service := newFleet(), newTokens(id).service()
				r := fleet.join(t, service, quick)
				fleet.put(test.answer())
				facts, err := r.Resolve(t.Context(), id, test.fresh)
				if age := time.Since(facts.At); test.age >= 0 && (err != nil || age != test.age) {
					t.Errorf("%v old, %v; want %v", age, err, test.age)
				}
				if test.age < 0 && !errors.Is(err, ErrUnknownToken) {
					t.Errorf("got %v", err)
				}
				if got := service.count(); got != test.calls {
					t.Errorf("%d look-ups, want %d", got, test.calls)
				}
			})
		})
	}
}

// TestFleetReadersDiffer: who joins the look-up of a reader who is content with less gets
// facts as young as it wants.
func TestFleetReadersDiffer(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	synctest.Test(t, func(t *testing.T) {
		fleet, service := newFleet(), newTokens(id).service()
		r := fleet.join(t, service, quick)
		member := fleet.members[0]
		member.late = make(chan struct{})
		fleet.put(Answer{ID: id, Info: &Info{ID: id}, At: time.Now().Add(-30 * time.Second)})
		var wg sync.WaitGroup
		for _, ttl := range []time.Duration{time.Minute, 10 * time.Second, 0} {
			wg.Go(func() {
				arrived := time.Now()
				facts, err := r.Resolve(t.Context(), id, Freshness{TTL: ttl, NegativeTTL: time.Second, UnknownExpiry: true})
				if age := arrived.Sub(facts.At); err != nil || age > ttl {
					t.Errorf("ttl %v: facts of %v ago, %v", ttl, age, err)
				}
			})
			synctest.Wait()
		}
		close(member.late)
		wg.Wait()
	})
}

// TestFleetExact: a reader without a TTL believes nobody's clock.
func TestFleetExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id, fleet := garbage(1), newFleet()
		service := newTokens(id).service()
		r := fleet.join(t, service, quick)
		fleet.put(Answer{ID: id, Info: &Info{ID: id}, At: time.Now().Add(3 * time.Second)})
		member := fleet.members[0]
		member.late = make(chan struct{})
		time.AfterFunc(10*time.Millisecond, func() { close(member.late) })
		if _, err := r.Resolve(t.Context(), id, Freshness{UnknownExpiry: true}); err != nil || service.count() != 1 {
			t.Errorf("%v after %d look-ups", err, service.count())
		}
	})
}

// TestFleetHit: what is known costs nothing more in a fleet.
func TestFleetHit(t *testing.T) {
	r := NewResolver(&scripted{answer: found}, quick, WithSharing(noFleet{}))
	defer r.Close()
	id := garbage(1)
	resolveOrFail(t, r, id)
	allocs := testing.AllocsPerRun(100, func() {
		if facts, err := r.Resolve(context.Background(), id, fresh); err != nil || facts.Source != FromCache {
			t.Fatal(facts.Source, err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestFleetNeutral: the question about this gateway's own credential never goes through the
// fleet.
func TestFleetNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fleet, service := newFleet(), newTokens().service()
		fleet.turns = 0
		r := fleet.join(t, service, quick)
		for range 3 {
			if ready, problem := r.Readiness(t.Context()); !ready || problem != nil {
				t.Errorf("ready %t, %v", ready, problem)
			}
			time.Sleep(time.Minute)
		}
		service.set(func(_ context.Context, id ID) (*Info, error) {
			if id == neutral {
				return nil, ErrUnknownToken
			}
			return nil, &UnavailableError{Outage: ServerError}
		})
		fleet.turns = -1
		if _, err := r.Resolve(t.Context(), garbage(1), fresh); ownErr(err) == nil { // asks the neutral question
			t.Errorf("got %v", err)
		}
		if _, shared := fleet.entries[neutral]; shared || fleet.members[0].asked.Load() > 1 || service.countProbes() != 4 {
			t.Errorf("shared %t, found %d times, asked %d times", shared, fleet.members[0].asked.Load(), service.countProbes())
		}
	})
}

// TestFleetLateAnswers: what was shared before a change does not come back after it.
func TestFleetLateAnswers(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	for name, change := range map[string]func(f *fakeFleet){
		"the token was revoked": func(f *fakeFleet) { f.purge(id) },
		"all were forgotten":    (*fakeFleet).forgetAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, waits := range []string{"finding", "beginning"} {
				synctest.Test(t, func(t *testing.T) {
					fleet, truth := newFleet(), newTokens(id)
					first, second := fleet.join(t, truth.service(), quick), fleet.join(t, truth.service(), quick)
					if waits == "finding" {
						resolveOrFail(t, first, id)
						fleet.members[1].late = make(chan struct{})
					} else {
						go func() { _, _ = first.Resolve(t.Context(), id, fresh) }()
						synctest.Wait() // its answer is on the way
					}
					ended := make(chan error)
					go func() { _, err := second.Resolve(t.Context(), id, fresh); ended <- err }()
					synctest.Wait()
					truth.set(id, nil)
					change(fleet)
					if waits == "finding" {
						close(fleet.members[1].late)
					}
					if err := <-ended; !errors.Is(err, ErrUnknownToken) {
						t.Errorf("%s: got %v", waits, err)
					}
					for _, r := range []*Resolver{first, second} {
						if _, err := r.Resolve(t.Context(), id, fresh); !errors.Is(err, ErrUnknownToken) {
							t.Errorf("%s: afterwards %v", waits, err)
						}
					}
				})
			}
		})
	}
}

// TestFleetOutage: a gateway whose own credential is refused lives on what the others find.
func TestFleetOutage(t *testing.T) {
	t.Parallel()
	a, b := garbage(1), garbage(2)
	synctest.Test(t, func(t *testing.T) {
		fleet, service := newFleet(), newTokens(a, b).service()
		working, broken := fleet.join(t, service, quick), fleet.join(t, &scripted{answer: failing(Rejected)}, quick)
		for _, id := range []ID{a, b} {
			if _, err := broken.Resolve(t.Context(), id, fresh); err == nil {
				t.Fatal("it works")
			}
			resolveOrFail(t, working, id)
		}
		for range 10 {
			facts := resolveOrFail(t, broken, a)
			if age := time.Since(facts.At); age > time.Minute+2*time.Second {
				t.Errorf("from %q, %v old", facts.Source, age)
			}
			time.Sleep(30 * time.Second)
			resolveOrFail(t, working, a)
			synctest.Wait()
			resolveOrFail(t, broken, a) // brings it in, where it is stale
			synctest.Wait()
		}
		if broken.Outage() != Rejected {
			t.Errorf("outage %q", broken.Outage())
		}
	})
}
