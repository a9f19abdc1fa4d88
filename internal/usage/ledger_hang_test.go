package usage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a store of which one operation does not return before its time.
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

// TestLedgerHangs holds that a store which does not return holds up neither reports,
// nor reloads, nor the end of the process for longer than it must, and that nothing
// is lost or counted twice once it goes on.
func TestLedgerHangs(t *testing.T) {
	jobs := op("jobs: jobs")
	for _, test := range []struct {
		name, in string
		heeds    bool
		calls    uint64 // in a report meanwhile
		want     error  // of that report
	}{
		{"another gateway holds the lock", "lock", true, 1, nil},
		{"lock", "lock", false, 1, nil},
		{"load", "load", false, 1, ErrNoAnswer},
		{"load that heeds the context", "load", true, 1, ErrNoAnswer},
		// What is on its way is in neither place.
		{"save", "save", false, 0, ErrNoAnswer},
		{"save that heeds the context", "save", true, 0, ErrNoAnswer},
		{"unlock", "unlock", false, 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &stuck{newMemory(), test.in, make(chan struct{}), test.heeds}
				told := make(chan error, 100)
				keep := func(l *Ledger) { l.Keep(store, "usage", 5*time.Minute, func(err error) { told <- err }) }
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
				<-told
				go func() { _ = l.Flush(t.Context()) }() // so that one is under way
				synctest.Wait()
				within("a report", stateTimeout+grace, func() {
					state, err := l.State(t.Context())
					if state.Calls() != test.calls || !errors.Is(err, test.want) {
						t.Errorf("a report of %d calls, want %d: %v, want %v", state.Calls(), test.calls, err, test.want)
					}
				})
				within("a reload", grace, func() { keep(l) })
				within("the end", closeTimeout+2*grace, func() {
					if err := l.Close(); err == nil && test.in != "unlock" {
						t.Error("the end was told of no mistake")
					}
				})
				close(store.release)
				synctest.Wait()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				if state, err := l.State(t.Context()); err != nil || state.Calls() != 1 || store.locks != 0 {
					t.Errorf("in the end %d calls, want 1; %d locks: %v", state.Calls(), store.locks, err)
				}
			})
		})
	}
}

// TestLedgerLeaves holds that a report is not waited for once nobody asks for it.
func TestLedgerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stuck{newMemory(), "load", make(chan struct{}), false}
		defer close(store.release)
		l := NewLedger(Options{})
		l.Keep(store, "usage", 0, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.State(ctx); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second+grace {
			t.Errorf("it took %s", took)
		}
	})
}
