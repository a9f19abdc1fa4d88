package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// flushTimeout bounds one flush, waiting for another gateway's included.
	flushTimeout = 30 * time.Second
	// closeTimeout bounds the last one: a process that ends is not held up.
	closeTimeout = 2 * time.Second
)

// Ledger counts calls and keeps what it counted in a store. Only what is new since
// the last flush is in memory and is added to what is stored then, so that many
// gateways can share one snapshot. Without a store everything stays in memory. It is
// safe for concurrent use.
type Ledger struct {
	recorder *Recorder
	options  Options

	// mu is held while what was counted is on its way between the recorder and the
	// store.
	mu    sync.Mutex
	store Store
	key   string

	work sync.Mutex // guards the following
	stop func()     // ends the flushes; nil while there are none
}

// NewLedger returns an empty ledger without a store.
func NewLedger(options Options) *Ledger {
	return &Ledger{recorder: NewRecorder(options), options: options}
}

// Seen counts a call, see [Recorder.Seen].
func (l *Ledger) Seen(c Call) { l.recorder.Seen(c) }

// Keep keeps what is counted from now on under a key of a store, with a flush at
// every interval and by [Ledger.Close]. It replaces what was chosen before; nil and
// 0 keep everything in memory. What goes wrong is told, and what could not be
// saved is saved with the next flush.
func (l *Ledger) Keep(store Store, key string, every time.Duration, told func(error)) {
	l.work.Lock()
	defer l.work.Unlock()
	l.endFlushes()
	l.mu.Lock()
	l.store, l.key = store, key
	l.mu.Unlock()
	if store == nil || every <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		// At a random moment first: gateways that share a store were often started
		// together.
		timer := time.NewTimer(rand.N(every))
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			timer.Reset(every)
			if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
				told(err)
			}
		}
	}()
}

// endFlushes must be called with the lock held.
func (l *Ledger) endFlushes() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// Close saves what is not saved yet and ends the flushes.
func (l *Ledger) Close() error {
	l.work.Lock()
	defer l.work.Unlock()
	l.endFlushes()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return l.Flush(ctx)
}

// Flush adds what was counted since the last one to what is stored. A snapshot that
// cannot be read was set aside and replaced if the error is [ErrCorrupt] or
// [ErrNewerVersion]; after all others nothing is changed.
func (l *Ledger) Flush(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil || l.recorder.Len() == 0 {
		return nil
	}
	if err := l.store.Lock(ctx, l.key); err != nil {
		return fmt.Errorf("locking the usage snapshot: %w", err)
	}
	defer func() {
		// Whatever became of the flush, others must be able to go on.
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if failed := l.store.Unlock(unlock, l.key); failed != nil && err == nil {
			err = fmt.Errorf("unlocking the usage snapshot: %w", failed)
		}
	}()
	history, notice := Load(ctx, l.store, l.key)
	if notice != nil && !replaceable(notice) {
		return notice
	}
	counted := l.recorder.Drain()
	if err := Save(ctx, l.store, l.key, l.together(history, counted)); err != nil {
		l.recorder.Merge(counted)
		return err
	}
	return notice
}

// State returns what is stored and what was counted since. Where what is stored
// cannot be had, it returns the rest and why.
func (l *Ledger) State(ctx context.Context) (State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return l.recorder.State(), nil
	}
	history, err := l.stored(ctx)
	return l.together(history, l.recorder.State()), err
}

// stored is Load for a reader, who sets nothing aside: that is for a flush, which
// holds the lock.
func (l *Ledger) stored(ctx context.Context) (State, error) {
	return Load(ctx, readOnly{l.store}, l.key)
}

// replaceable reports whether a snapshot that could not be read was set aside, so
// that another may take its place.
func replaceable(err error) bool {
	return (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewerVersion)) && !errors.Is(err, ErrNotSetAside)
}

// together adds states up, within the caps.
func (l *Ledger) together(states ...State) State {
	sum := NewRecorder(l.options)
	for _, state := range states {
		sum.Merge(state)
	}
	return sum.State()
}

// readOnly is a store that sets nothing aside.
type readOnly struct{ Store }

func (readOnly) SetAside(context.Context, string) error { return nil }
