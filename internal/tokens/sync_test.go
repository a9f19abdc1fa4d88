package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// listed answers with tokens that have a given comment.
func listed(comment string, ids ...ID) func(context.Context) ([]*Info, error) {
	return func(context.Context) ([]*Info, error) {
		var list []*Info
		for _, id := range ids {
			list = append(list, &Info{ID: id, Comment: comment})
		}
		return list, nil
	}
}

func (s *scripted) setList(list func(context.Context) ([]*Info, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
}

func (s *scripted) countLists() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

var (
	synced = Settings{Size: 100, Rate: 1000, Concurrency: 100, Timeout: 5 * time.Second, Sync: time.Minute}
	slow   = Freshness{TTL: 2 * time.Minute, NegativeTTL: 10 * time.Second, MaxStale: 15 * time.Minute, UnknownExpiry: true}
)

// startSynced returns a resolver a minute after its start, when it has its first list.
func startSynced(t *testing.T, d *scripted, options ...Option) *Resolver {
	t.Helper()
	r := newResolver(d, synced, append(options, withJitter(func(most time.Duration) time.Duration { return most }))...)
	t.Cleanup(r.Close)
	r.start()
	r.start() // once is enough
	time.Sleep(time.Minute)
	synctest.Wait()
	return r
}

func TestSync(t *testing.T) {
	t.Parallel()
	a, b, c := garbage(1), garbage(2), garbage(3)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, r *Resolver, d *scripted)
	}{
		{"listed tokens need no look-up", func(t *testing.T, r *Resolver, d *scripted) {
			for range 10 {
				if facts, err := r.Resolve(t.Context(), b, slow); err != nil || facts.Source != FromCache || time.Since(facts.At) >= 2*time.Minute {
					t.Errorf("from %q, %s old, %v", facts.Source, time.Since(facts.At), err)
				}
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			if got := d.count(); got != 0 {
				t.Errorf("%d look-ups", got)
			}
			if got := d.countLists(); got != 11 {
				t.Errorf("%d lists in 11 minutes", got)
			}
		}},
		{"a revoked token is unknown when the list says so", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(listed("second", a))
			d.set(failing(ServerError))
			time.Sleep(time.Minute)
			synctest.Wait()
			if _, err := r.Resolve(t.Context(), b, slow); !errors.Is(err, ErrUnknownToken) {
				t.Errorf("got %v", err)
			}
			if facts, err := r.Resolve(t.Context(), a, slow); err != nil || facts.Info.Comment != "second" {
				t.Errorf("the other token: %v, %v", facts.Info, err)
			}
		}},
		{"a new token is looked up until the list has it", func(t *testing.T, r *Resolver, d *scripted) {
			if facts, err := r.Resolve(t.Context(), c, slow); err != nil || facts.Source != FromLookup {
				t.Errorf("from %q, %v", facts.Source, err)
			}
		}},
		{"an empty list is not trusted", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(listed(""))
			time.Sleep(time.Minute)
			synctest.Wait()
			if facts, err := r.Resolve(t.Context(), a, slow); err != nil || facts.Info.Comment != "first" {
				t.Errorf("%v, %v", facts.Info, err)
			}
		}},
		{"a list that fails leaves look-ups alone", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(func(context.Context) ([]*Info, error) { return nil, &UnavailableError{Outage: BadAnswer} })
			time.Sleep(10 * time.Minute)
			if facts, err := r.Resolve(t.Context(), a, slow); err != nil || facts.Source != FromLookup {
				t.Errorf("from %q, %v", facts.Source, err)
			}
		}},
		{"a refused credential pauses look-ups and lists", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(func(context.Context) ([]*Info, error) {
				return nil, &UnavailableError{Outage: Throttled, RetryAfter: 3 * time.Minute}
			})
			time.Sleep(3*time.Minute - time.Second)
			if got := d.countLists(); got != 2 || r.Outage() != Throttled {
				t.Errorf("%d lists, outage %q", got, r.Outage())
			}
		}},
		{"switched off", func(t *testing.T, r *Resolver, d *scripted) {
			r.Tune(quick)
			time.Sleep(time.Hour)
			if got := d.countLists(); got != 1 {
				t.Errorf("%d lists", got)
			}
		}},
		{"switched off and on", func(t *testing.T, r *Resolver, d *scripted) {
			r.Tune(quick)
			time.Sleep(time.Hour)
			often := synced
			often.Sync = 10 * time.Second
			r.Tune(often)
			r.Tune(often) // changes nothing
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := d.countLists(); got != 1+6 {
				t.Errorf("%d lists", got)
			}
		}},
		{"a token purged while the list is in progress", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(func(ctx context.Context) ([]*Info, error) {
				time.Sleep(10 * time.Second)
				return listed("before the change", a, b)(ctx)
			})
			time.Sleep(65 * time.Second)
			r.Purge(a)
			time.Sleep(10 * time.Second)
			if facts, err := r.Resolve(t.Context(), a, slow); err != nil || facts.Info.Comment != "found" {
				t.Errorf("%v, %v", facts.Info, err)
			}
		}},
		{"closed while the list is in progress", func(t *testing.T, r *Resolver, d *scripted) {
			d.setList(func(ctx context.Context) ([]*Info, error) {
				<-ctx.Done()
				return nil, &UnavailableError{Outage: TimedOut}
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			r.Close()
			time.Sleep(time.Hour)
			if got := d.countLists(); got != 2 {
				t.Errorf("%d lists", got)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{answer: found, list: listed("first", a, b)}
				test.run(t, startSynced(t, d), d)
			})
		})
	}
}

// TestSyncStartsWithTheFirstLookup checks that creating a resolver, as validating a
// configuration does, makes no requests.
func TestSyncStartsWithTheFirstLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{answer: found, list: listed("")}
		r := newResolver(d, synced, withJitter(never))
		defer r.Close()
		time.Sleep(time.Hour)
		if d.countLists() != 0 {
			t.Fatal("a list was requested")
		}
		resolveOrFail(t, r, garbage(1))
		synctest.Wait()
		if d.countLists() != 1 {
			t.Error("no list was requested")
		}
	})
}

// TestSyncMakesFloodsHarmless uses a valid token for the first time during a flood.
func TestSyncMakesFloodsHarmless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := garbage(-1)
		d := &scripted{answer: unknown, list: listed("", good)}
		r := startSynced(t, d)
		r.Tune(Settings{Size: 100, Rate: 1, Concurrency: 1, Timeout: time.Second, Sync: time.Minute})
		for i := range 2000 {
			_, _ = r.Resolve(t.Context(), garbage(i), slow)
		}
		if facts, err := r.Resolve(t.Context(), good, slow); err != nil || facts.Source != FromCache {
			t.Errorf("from %q, %v", facts.Source, err)
		}
	})
}

func TestServiceList(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
	for i, scope := range []string{"jobs", "sql"} {
		workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Comment: scope, Scopes: []string{scope}, Lifetime: time.Duration(i) * time.Hour})
	}
	list, _, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 { // and the admin's
		t.Fatalf("%d tokens", len(list))
	}
	for _, info := range list {
		one, err := d.Lookup(t.Context(), Query{ID: info.ID})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one.Info, info); diff != "" {
			t.Errorf("list and look-up differ:\n%s", diff)
		}
	}
}

// TestServiceListOutages tests the faults with the list.
func TestServiceListOutages(t *testing.T) {
	t.Parallel()
	for _, test := range faults {
		if test.want == TimedOut || test.name == "another token's facts" {
			continue // a list may take a minute, and it is not about one token
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace := startWorkspace(t)
			d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
			workspace.Faults().Set(test.prefix, test.fault)
			list, _, err := d.List(t.Context())
			var outage *UnavailableError
			switch {
			case test.name == "JSON of another shape" && err == nil && len(list) == 0: // the resolver rejects it
			case !errors.As(err, &outage) || outage.Outage != test.want || outage.RetryAfter != test.retry:
				t.Errorf("got %d tokens, %v, want %s", len(list), err, test.want)
			}
		})
	}
}
