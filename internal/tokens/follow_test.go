package tokens

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gateways returns gateways of one fleet with different phases of their lists.
func (f *fakeFleet) gateways(t *testing.T, n int, service Service, s Settings) (all []*Resolver) {
	t.Helper()
	for i := range n {
		phase := time.Duration(i) * time.Second
		all = append(all, f.join(t, service, s, withJitter(func(most time.Duration) time.Duration { return min(most, phase) })))
	}
	return all
}

// TestFleetList: one gateway asks for the list, and all know what it says.
func TestFleetList(t *testing.T) {
	t.Parallel()
	a, b, c := garbage(1), garbage(2), garbage(3)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver)
	}{
		{"one list in an interval, and no look-up", func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver) {
			for range 10 {
				for _, r := range all {
					if facts, err := r.Resolve(t.Context(), a, slow); err != nil || time.Since(facts.At) > 2*time.Minute {
						t.Errorf("%v old, %v", time.Since(facts.At), err)
					}
				}
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			if lists, lookups := service.countLists(), service.count(); lists < 10 || lists > 12 || lookups != 0 {
				t.Errorf("%d lists and %d look-ups in 11 minutes", lists, lookups)
			}
		}},
		{"a revoked token is unknown to all when one list says so", func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver) {
			for _, r := range all {
				_, _ = r.Resolve(t.Context(), b, slow)
			}
			truth.set(b, nil)
			time.Sleep(55 * time.Second)
			synctest.Wait()
			service.set(failing(ServerError))
			for i, r := range all {
				if _, err := r.Resolve(t.Context(), b, slow); !errors.Is(err, ErrUnknownToken) {
					t.Errorf("gateway %d: %v", i, err)
				}
				if _, err := r.Resolve(t.Context(), a, slow); err != nil {
					t.Errorf("gateway %d, the other token: %v", i, err)
				}
			}
		}},
		{"a revoked token that the gateway that lists did not know", func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver) {
			truth.set(c, &Info{ID: c})
			last := all[len(all)-1]
			if _, err := last.Resolve(t.Context(), c, slow); err != nil {
				t.Fatal(err)
			}
			truth.set(c, nil)
			time.Sleep(70 * time.Second) // the lists are of the first gateway
			synctest.Wait()
			before := service.count()
			for i, r := range all {
				if _, err := r.Resolve(t.Context(), c, slow); !errors.Is(err, ErrUnknownToken) {
					t.Errorf("gateway %d: %v", i, err)
				}
			}
			if got := service.count() - before; got != 1 {
				t.Errorf("%d look-ups", got)
			}
		}},
		{"a changed token", func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver) {
			for _, r := range all {
				_, _ = r.Resolve(t.Context(), a, slow)
			}
			truth.set(a, &Info{ID: a, Scopes: []string{"sql"}})
			time.Sleep(70 * time.Second)
			synctest.Wait()
			for i, r := range all {
				if facts, err := r.Resolve(t.Context(), a, slow); err != nil || len(facts.Info.Scopes) != 1 {
					t.Errorf("gateway %d: %v, %v", i, facts.Info, err)
				}
			}
			if got := service.count(); got != 0 {
				t.Errorf("%d look-ups", got)
			}
		}},
		{"the gateway that lists leaves", func(t *testing.T, fleet *fakeFleet, truth *fakeTokens, service *scripted, all []*Resolver) {
			all[0].Close()
			before := service.countLists()
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			if got := service.countLists() - before; got < 2 || got > 3 {
				t.Errorf("%d lists in three minutes", got)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fleet, truth := newFleet(), newTokens(a, b)
				service := truth.service()
				all := fleet.gateways(t, 5, service, synced)
				for _, r := range all {
					r.start()
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if got := service.countLists(); got != 1 {
					t.Fatalf("%d lists at the start", got)
				}
				test.run(t, fleet, truth, service, all)
			})
		})
	}
}

// TestListed: what a gateway makes of another one's list.
func TestListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 2000 // more than can be looked up in a second
		fleet := newFleet()
		var ids []ID
		for i := range many {
			ids = append(ids, garbage(i))
		}
		r := fleet.join(t, newTokens(ids...).service(), quick)
		started := time.Now()
		for _, id := range ids {
			r.cache.remember(id, &Info{ID: id, Comment: "old"}, started, 0)
		}
		r.Tune(Settings{Size: many, Rate: 10, Concurrency: 1, Timeout: time.Second})
		for _, id := range ids {
			r.cache.remember(id, &Info{ID: id, Comment: "old"}, started, 0)
		}
		time.Sleep(time.Minute)
		r.Listed(time.Now().Add(time.Hour)) // nonsense
		r.Listed(time.Now())                // not in the store
		synctest.Wait()
		if r.Len() != many {
			t.Errorf("%d tokens are left, though the store has no list", r.Len())
		}

		time.Sleep(time.Minute)
		at := time.Now()
		for i, id := range ids {
			switch i {
			case 0: // missing
			case 1:
				fleet.put(Answer{ID: id, At: at})
			case 2:
				fleet.put(Answer{ID: id, Info: &Info{ID: id, Comment: "older than the list"}, At: at.Add(-time.Second)})
			case 3:
				fleet.put(Answer{ID: id, Info: &Info{ID: id, Comment: "later"}, At: at.Add(time.Second)})
			default:
				fleet.put(Answer{ID: id, Info: &Info{ID: id, Comment: "listed"}, At: at})
			}
		}
		time.Sleep(2 * time.Second)
		r.cache.remember(ids[4], &Info{ID: ids[4], Comment: "looked up after the list"}, time.Now(), 0)
		r.Purge(ids[5])
		r.Listed(at)
		synctest.Wait()
		for i, want := range []string{"", "unknown", "", "later", "looked up after the list", "", "listed"} {
			if got := r.cache.state(ids[i]); got != want {
				t.Errorf("token %d: %q, want %q", i, got, want)
			}
		}
		if r.laneOf(&ids[0], false) != Returning {
			t.Error("a token that was known has to queue with all that were not")
		}
		// What was shared before the list, and not with it, was revoked.
		if facts, err := r.Resolve(t.Context(), ids[2], slow); err != nil || facts.Info.Comment != "" {
			t.Errorf("%v, %v", facts.Info, err)
		}
	})
}

// TestListedIncomplete: what could not be read is not taken for revoked.
func TestListedIncomplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(newTokens().service(), quick, WithSharing(noFleet{}))
		defer r.Close()
		id := garbage(1)
		r.cache.remember(id, &Info{ID: id, Comment: "old"}, time.Now(), 0)
		time.Sleep(time.Minute)
		r.Listed(time.Now())
		synctest.Wait()
		if got := r.cache.state(id); got != "old" {
			t.Errorf("it is %q", got)
		}
	})
}

// TestListedMeanwhile: what was looked up while a list is read stays.
func TestListedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, id := new(hooked), garbage(1)
		r := NewResolver(newTokens(id).service(), quick, WithSharing(store))
		defer r.Close()
		r.cache.remember(id, &Info{ID: id, Comment: "old"}, time.Now(), 0)
		time.Sleep(time.Minute)
		at := time.Now()
		store.findMany = func([]ID) []Answer {
			time.Sleep(time.Second)
			r.cache.remember(id, &Info{ID: id, Comment: "new"}, time.Now(), r.cache.since())
			return nil
		}
		r.Listed(at)
		time.Sleep(2 * time.Second)
		if got := r.cache.state(id); got != "new" {
			t.Errorf("it is %q", got)
		}
	})
}

// TestListFloor: the gateway that listed does not believe what was shared before, and not
// listed.
func TestListFloor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fleet, revoked := newFleet(), garbage(1)
		service := newTokens(garbage(2)).service()
		r := fleet.join(t, service, quick)
		fleet.hears = false
		fleet.put(Answer{ID: revoked, Info: &Info{ID: revoked}, At: time.Now()})
		time.Sleep(time.Second)
		r.syncOnce(t.Context())
		if _, err := r.Resolve(t.Context(), revoked, slow); !errors.Is(err, ErrUnknownToken) || service.count() != 1 {
			t.Errorf("%v after %d look-ups", err, service.count())
		}
	})
}

// TestStaleDoesNotAwaitLists: a request whose stale facts will do does not wait for another
// gateway's list.
func TestStaleDoesNotAwaitLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(&scripted{answer: found, list: listed("")}, quick, WithSharing(follower{}))
		defer r.Close()
		id := garbage(1)
		r.cache.remember(id, &Info{ID: id}, time.Now(), 0)
		r.refills.mu.Lock()
		r.wantList()
		r.refills.mu.Unlock()
		time.Sleep(30 * time.Second) // of the minute that the list may take
		stale := Freshness{TTL: time.Second, NegativeTTL: time.Second, MaxStale: time.Hour, UnknownExpiry: true}
		began := time.Now()
		if _, err := r.Resolve(t.Context(), id, stale); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestFleetRefill: when all gateways forget everything, one list brings it back to all.
func TestFleetRefill(t *testing.T) {
	t.Parallel()
	const tokens = 300
	for _, test := range []struct {
		name           string
		hears          bool
		lists, lookups int // at most
	}{
		{"by the list of one", true, 1, 0},
		// They lead one after another. What each finds in the store is not looked up again.
		{"by their own, if none is told of a list", false, 5, tokens},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fleet := newFleet()
				fleet.hears = test.hears
				truth := newTokens()
				for i := range tokens {
					truth.set(garbage(i), &Info{ID: garbage(i)})
				}
				service := truth.service()
				all := fleet.gateways(t, 5, service, Settings{Size: 1000, Rate: 10, Concurrency: 4, Timeout: 5 * time.Second})
				for _, r := range all {
					for i := range tokens {
						r.cache.remember(garbage(i), &Info{ID: garbage(i)}, time.Now(), 0)
					}
				}
				time.Sleep(time.Second)
				fleet.forgetAll()
				var wg sync.WaitGroup
				var mu sync.Mutex
				failed, arrived := 0, time.Now()
				for _, r := range all {
					for i := range tokens {
						wg.Go(func() {
							facts, err := r.Resolve(t.Context(), garbage(i), slow)
							mu.Lock()
							defer mu.Unlock()
							if err != nil {
								failed++
							} else if facts.At.Before(arrived) {
								t.Errorf("judged by what was known %v before", arrived.Sub(facts.At))
							}
						})
					}
				}
				wg.Wait()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if failed > 0 {
					t.Errorf("%d of %d were turned away", failed, 5*tokens)
				}
				if lists, lookups := service.countLists(), service.count(); lists > test.lists || lookups > test.lookups {
					t.Errorf("%d lists and %d look-ups, want %d and %d", lists, lookups, test.lists, test.lookups)
				}
			})
		})
	}
}

// TestFleetRefillFallback: a gateway that never leads, and hears of no list, asks for its own.
func TestFleetRefillFallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := newTokens(garbage(1)).service()
		r := NewResolver(service, synced, WithSharing(follower{}))
		defer r.Close()
		began := time.Now()
		r.listOrFollow(t.Context(), 1)
		if service.countLists() != 1 || time.Since(began) != listTimeout+200*time.Millisecond {
			t.Errorf("%d lists after %v", service.countLists(), time.Since(began))
		}
	})
}

// follower never leads.
type follower struct{ noFleet }

func (follower) LeadList(context.Context, time.Duration) bool { return false }

// TestFindDoesNotAwaitLists: what another gateway has looked up after all were forgotten serves
// at once, however long the list takes.
func TestFindDoesNotAwaitLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fleet, truth := newFleet(), newTokens()
		for i := range 50 {
			truth.set(garbage(i), &Info{ID: garbage(i)})
		}
		service := truth.service()
		service.setList(func(ctx context.Context) ([]*Info, error) {
			time.Sleep(20 * time.Second)
			return truth.list(ctx)
		})
		all := fleet.gateways(t, 2, service, Settings{Size: 100, Rate: 10, Concurrency: 4, Timeout: 4 * time.Second})
		for _, r := range all {
			for i := range 50 {
				r.cache.remember(garbage(i), &Info{ID: garbage(i)}, time.Now(), 0)
			}
		}
		time.Sleep(time.Second)
		fleet.forgetAll()
		synctest.Wait()
		for i, want := range []time.Duration{2050 * time.Millisecond, 0} { // the first waits for the list in vain
			began := time.Now()
			if _, err := all[i].Resolve(t.Context(), garbage(1), slow); err != nil || time.Since(began) != want {
				t.Errorf("gateway %d: %v after %v", i, err, time.Since(began))
			}
		}
		if got := service.count(); got != 1 {
			t.Errorf("%d look-ups", got)
		}
		time.Sleep(time.Minute)
	})
}
