package tokens

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefill: after everything was forgotten, one list brings the tokens of a busy
// workspace back. None of their clients is turned away meanwhile.
func TestRefill(t *testing.T) {
	t.Parallel()
	var ids []ID
	for i := range 300 {
		ids = append(ids, garbage(i))
	}
	ordinary := Settings{Size: 1000, Rate: 10, Concurrency: 4, Timeout: 2 * time.Second}
	start := func(t *testing.T, known int) (*Resolver, *scripted) {
		d := &scripted{answer: found}
		d.setList(func(ctx context.Context) ([]*Info, error) {
			time.Sleep(500 * time.Millisecond)
			return listed("listed", ids...)(ctx)
		})
		r := newResolver(d, ordinary)
		t.Cleanup(r.Close)
		for _, id := range ids[:known] {
			r.cache.remember(id, &Info{ID: id}, time.Now(), 0)
		}
		return r, d
	}
	askAll := func(t *testing.T, r *Resolver, known int) (failed int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, id := range ids[:known] {
			wg.Go(func() {
				if _, err := r.Resolve(t.Context(), id, slow); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return failed
	}
	for _, test := range []struct {
		name           string
		known, forgets int
		lists, lookups int // at most
	}{
		{"many tokens: one list", 300, 1, 1, 0},
		{"few tokens are looked up", 5, 1, 0, 5},
		{"again and again: one list after the last, and one that it overtakes", 300, 100, 2, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, d := start(t, test.known)
				time.Sleep(time.Second)
				for range test.forgets {
					r.ForgetAll()
				}
				if failed := askAll(t, r, test.known); failed > 0 {
					t.Errorf("%d of %d were turned away", failed, test.known)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if lists, lookups := d.countLists(), d.count(); lists > test.lists || lookups > test.lookups {
					t.Errorf("%d lists and %d look-ups, want %d and %d", lists, lookups, test.lists, test.lookups)
				}
			})
		})
	}
}

// TestRefillFails: without the list, tokens are looked up one by one.
func TestRefillFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{answer: found}
		d.setList(func(ctx context.Context) ([]*Info, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		r := newResolver(d, Settings{Size: 100, Rate: 10, Concurrency: 4, Timeout: 2 * time.Second})
		t.Cleanup(r.Close)
		for i := range 20 {
			id := garbage(i)
			r.cache.remember(id, &Info{ID: id}, time.Now(), 0)
		}
		time.Sleep(time.Second)
		r.ForgetAll()
		if facts, err := r.Resolve(t.Context(), garbage(3), slow); err != nil || facts.Source != FromLookup {
			t.Errorf("from %q, %v", facts.Source, err)
		}
	})
}
