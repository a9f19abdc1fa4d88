package usage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a store of which one operation does not return until it is released.
type stuck struct {
	*memory
	in      string
	release chan struct{}
	heeds   bool // the context, as a store should
}

func (s *stuck) wait(ctx context.Context, in string) error {
	if s.in != in {
		return nil
	}
	if !s.heeds {
		<-s.release
		return nil
	}
	select {
	case <-s.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stuck) Lock(ctx context.Context, key string) error {
	if err := s.wait(ctx, "lock"); err != nil {
		return err
	}
	return s.memory.Lock(ctx, key)
}

func (s *stuck) Unlock(ctx context.Context, key string) error {
	return errors.Join(s.wait(ctx, "unlock"), s.memory.Unlock(ctx, key))
}

func (s *stuck) List(ctx context.Context, prefix string) ([]string, error) {
	if err := s.wait(ctx, "list"); err != nil {
		return nil, err
	}
	return s.memory.List(ctx, prefix)
}

func (s *stuck) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.wait(ctx, "load"); err != nil {
		return nil, err
	}
	return s.memory.Load(ctx, key)
}

func (s *stuck) Save(ctx context.Context, key string, value []byte) error {
	if err := s.wait(ctx, "save"); err != nil {
		return err
	}
	return s.memory.Save(ctx, key, value)
}

func (s *stuck) Delete(ctx context.Context, key string) error {
	if err := s.wait(ctx, "delete"); err != nil {
		return err
	}
	return s.memory.Delete(ctx, key)
}

// TestLedgerHangs: a store that hangs delays reports, reloads and shutdown no longer
// than necessary, and nothing is lost or counted twice once it continues.
func TestLedgerHangs(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	for _, test := range []struct {
		name, in string
		heeds    bool
		calls    uint64 // in a report meanwhile, of this gateway and one that stopped
		want     error  // of that report
	}{
		{"another gateway holds the lock", "lock", true, 2, nil},
		{"lock", "lock", false, 2, nil},
		{"list", "list", false, 1, errNoAnswer},
		{"list that heeds the context", "list", true, 1, errNoAnswer},
		{"load", "load", false, 1, errNoAnswer},
		{"load that heeds the context", "load", true, 1, errNoAnswer},
		{"save", "save", false, 2, nil},
		{"save that heeds the context", "save", true, 2, nil},
		{"delete", "delete", false, 2, nil},
		{"delete that heeds the context", "delete", true, 2, nil},
		{"unlock", "unlock", false, 2, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &stuck{newMemory(), test.in, make(chan struct{}), test.heeds}
				// A gateway has stopped, so that there is something to fold.
				stopped := newTestLedger(store.memory, nil)
				stopped.Seen(allowed(id("t"), &jobs, noon))
				flush(t, stopped)
				time.Sleep(minLease)
				errs := make(chan error, 100)
				keep := func(l *Ledger) { l.Keep(store, prefix, 5*time.Minute, func(err error) { errs <- err }) }
				within := func(what string, d time.Duration, do func()) {
					t.Helper()
					began := time.Now()
					do()
					if took := time.Since(began); took > d {
						t.Errorf("%s took %s, want at most %s", what, took, d)
					}
				}
				l := NewLedger(Options{})
				keep(l)
				l.Seen(allowed(id("t"), &jobs, noon))
				<-errs
				go func() { _ = l.flush(t.Context()) }() // so that one is under way
				synctest.Wait()
				within("a report", stateTimeout+grace, func() {
					state, err := l.State(t.Context())
					if state.Calls() != test.calls || !errors.Is(err, test.want) {
						t.Errorf("a report of %d calls, want %d: %v, want %v", state.Calls(), test.calls, err, test.want)
					}
				})
				within("a reload", grace, func() { keep(l) })
				within("shutdown", closeTimeout+2*grace, func() {
					// Only a hung save keeps the latest counts from being saved.
					if err := l.Close(); (err != nil) != (test.in == "save") {
						t.Errorf("shutdown reported %v", err)
					}
				})
				close(store.release)
				synctest.Wait()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				if got := callsOf(t, l); got != 2 || store.locks != 0 {
					t.Errorf("in the end %d calls, want 2; %d locks", got, store.locks)
				}
				time.Sleep(foldEvery)
				flush(t, l)
				if got := callsOf(t, l); got != 2 || store.keys() != "folded.json instance.json" {
					t.Errorf("after folding %d calls, want 2; keys %s", got, store.keys())
				}
			})
		})
	}
}

// TestLedgerLeaves: a report stops waiting when its caller does.
func TestLedgerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &stuck{newMemory(), "load", make(chan struct{}), false}
		defer close(store.release)
		l := newTestLedger(store, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.State(ctx); !errors.Is(err, errNoAnswer) {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second+grace {
			t.Errorf("it took %s", took)
		}
	})
}
