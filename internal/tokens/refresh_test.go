package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// resolveOrFail returns facts, or fails the test.
func resolveOrFail(t *testing.T, r *Resolver, id ID) Facts {
	t.Helper()
	facts, err := r.Resolve(context.Background(), id, fresh)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	for _, test := range []struct {
		name   string
		age    time.Duration
		answer func(context.Context, ID) (*Info, error)
		calls  int           // in total, after asking at that age
		after  time.Duration // age of the facts then, -1 for none
	}{
		{"just before the last fifth", 48*time.Second - 1, found, 1, 48*time.Second - 1},
		{"in the last fifth", 48 * time.Second, found, 2, 0},
		{"at the end", time.Minute - 1, found, 2, 0},
		{"the workspace fails", 50 * time.Second, failing(ServerError), 2, 50 * time.Second},
		{"the token is gone", 50 * time.Second, unknown, 2, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &scripted{answer: found}
				r := newResolver(service, quick, withJitter(never))
				defer r.Close()
				resolveOrFail(t, r, id)
				time.Sleep(test.age)
				service.set(test.answer)
				if facts := resolveOrFail(t, r, id); facts.Source != FromCache || time.Since(facts.At) != test.age {
					t.Errorf("got facts from %q of %s ago: the request waited", facts.Source, time.Since(facts.At))
				}
				synctest.Wait()
				if got := service.count(); got != test.calls {
					t.Errorf("%d look-ups, want %d", got, test.calls)
				}
				facts, err := r.Resolve(context.Background(), id, fresh)
				switch {
				case test.after < 0 && !errors.Is(err, ErrUnknownToken):
					t.Errorf("got %v, want %v", err, ErrUnknownToken)
				case test.after >= 0 && (err != nil || time.Since(facts.At) != test.after):
					t.Errorf("facts are %s old, %v; want %s", time.Since(facts.At), err, test.after)
				}
			})
		})
	}
}

func TestRefreshAheadIsOnePerToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id, release := IDOf(somePAT), make(chan struct{})
		service := &scripted{answer: found}
		r := newResolver(service, quick)
		defer r.Close()
		resolveOrFail(t, r, id)
		time.Sleep(50 * time.Second)
		service.set(func(ctx context.Context, id ID) (*Info, error) {
			<-release
			return found(ctx, id)
		})
		for range 1000 {
			if facts := resolveOrFail(t, r, id); facts.Source != FromCache {
				t.Fatalf("a request waited for the refresh")
			}
		}
		synctest.Wait()
		if got := service.count(); got != 2 {
			t.Errorf("%d look-ups, want the first and one refresh", got)
		}
		close(release)
		synctest.Wait()
		if facts := resolveOrFail(t, r, id); time.Since(facts.At) != 0 {
			t.Errorf("not refreshed")
		}
	})
}

// TestRefreshesKeepToTheRate has more busy tokens than the rate can refresh: the others
// get stale facts, not a refusal.
func TestRefreshesKeepToTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tokens = 500
		service := &scripted{answer: found}
		r := newResolver(service, Settings{Size: tokens, Rate: 4, Concurrency: 4, Timeout: time.Second})
		defer r.Close()
		for i := range tokens {
			r.cache.remember(garbage(i), &Info{ID: garbage(i)}, time.Now(), 0)
		}
		const seconds = 300
		for range seconds {
			for i := range tokens {
				resolveOrFail(t, r, garbage(i))
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := service.count(); got < 4*(seconds-60) || got > 4*seconds+6 {
			t.Errorf("%d look-ups in %d s at 4 a second", got, seconds)
		}
	})
}
