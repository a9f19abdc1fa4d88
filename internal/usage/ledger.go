package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// flushTimeout bounds one flush, waiting for another gateway's included.
	flushTimeout = 30 * time.Second
	// closeTimeout bounds the last one: a process that ends is not held up.
	closeTimeout = 2 * time.Second
	// stateTimeout bounds how long a report waits for what is stored. The largest
	// snapshot there can be takes a few seconds to read.
	stateTimeout = 20 * time.Second
	// grace is how long a store may take to return once its time is over. One that
	// takes longer heeds no context, as file systems do not: it is left to itself.
	grace = time.Second
)

// ErrNoAnswer says that a store did not answer in time.
var ErrNoAnswer = errors.New("the storage does not answer")

// Ledger counts calls and keeps what it counted in a store. Only what is new since
// the last flush is in memory and is added to what is stored then, so that many
// gateways can share one snapshot. Without a store everything stays in memory. It is
// safe for concurrent use.
type Ledger struct {
	recorder *Recorder
	options  Options
	name     string

	// flushing is held by the one flush that is under way, and turn while what was
	// counted is on its way between the recorder and the store. Whoever takes both
	// takes them in this order, with the store's lock in between: a report need not
	// wait for that. They are no mutexes because one must be able to stop waiting.
	flushing, turn chan struct{}

	// Guarded by turn: how many flushes there were, what those were to add that
	// failed, and what is still to be told of a snapshot that was set aside.
	flushes uint64
	doubts  []doubt
	notice  error

	mu    sync.Mutex // guards the following; held for a moment only
	store Store
	key   string

	work sync.Mutex // guards the following
	stop func()     // ends the flushes; nil while there are none
	told func(error)
}

// NewLedger returns an empty ledger without a store.
func NewLedger(options Options) *Ledger {
	return &Ledger{recorder: NewRecorder(options), options: options, name: newLedgerName(), flushing: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
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
	l.told = told
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
			if err := l.Flush(ctx); err != nil && (ctx.Err() == nil || SetAside(err)) {
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

// Close saves what is not saved yet and ends the flushes. It takes a few seconds at
// most, whatever the store does. The error says that what was counted last is not
// saved.
func (l *Ledger) Close() error {
	l.work.Lock()
	defer l.work.Unlock()
	l.endFlushes()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := l.Flush(ctx)
	switch {
	case err == nil:
		return nil
	case SetAside(err) && l.told != nil:
		l.told(err) // it is saved all the same
		return nil
	}
	return fmt.Errorf("what tokens were seen to use last is not saved: %w", err)
}

// Flush adds what was counted since the last one to what is stored. A snapshot that
// cannot be read was set aside and replaced if the error is [ErrCorrupt] or
// [ErrNewerVersion] and not [ErrNotSetAside]; after all others nothing is changed.
// [ErrNoAnswer] says that it is not known yet what became of it: the flush goes on
// when the store does.
func (l *Ledger) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return await(ctx, func() error { return l.flush(ctx) })
}

func (l *Ledger) flush(ctx context.Context) (err error) {
	if err := take(ctx, l.flushing); err != nil {
		return err
	}
	defer give(l.flushing)
	store, key := l.place()
	if store == nil || !l.counted(ctx) {
		return nil
	}
	if err := store.Lock(ctx, key); err != nil {
		return fmt.Errorf("locking the usage snapshot: %w", err)
	}
	defer func() {
		// Whatever became of the flush, others must be able to go on.
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if failed := store.Unlock(unlock, key); failed != nil && err == nil {
			err = fmt.Errorf("unlocking the usage snapshot: %w", failed)
		}
	}()
	if err := take(ctx, l.turn); err != nil {
		return err
	}
	defer give(l.turn)
	history, notice := Load(ctx, store, key)
	if notice != nil && !SetAside(notice) {
		return notice
	}
	if notice != nil {
		l.notice = notice // told once there is a snapshot again
	}
	if ctx.Err() != nil {
		// The lock may have been lost meanwhile, and another gateway have saved.
		return fmt.Errorf("loading the usage snapshot: %w", ErrNoAnswer)
	}
	l.doubts = l.unsaved(history)
	counted := l.recorder.Drain()
	l.flushes++
	sum := l.together(append(states(l.doubts), history, counted)...)
	sum.marks = withMark(history.marks, l.name, l.flushes, l.recorder.now())
	if err := Save(ctx, store, key, sum); err != nil {
		l.doubt(counted)
		return err
	}
	notice, l.doubts, l.notice = l.notice, nil, nil
	return notice
}

// maxDoubts bounds what is kept apart. What is older is taken together.
const maxDoubts = 8

// doubt notes what the last flush was to add and may not have. It is called in turn.
func (l *Ledger) doubt(counted State) {
	l.doubts = append(l.doubts, doubt{l.flushes, counted})
	if len(l.doubts) > maxDoubts {
		l.doubts[1].state = l.together(l.doubts[0].state, l.doubts[1].state)
		l.doubts = l.doubts[1:]
	}
}

// counted reports whether there is something to save.
func (l *Ledger) counted(ctx context.Context) bool {
	if l.recorder.Len() > 0 {
		return true
	}
	if take(ctx, l.turn) != nil {
		return true // somebody else will tell
	}
	defer give(l.turn)
	return len(l.doubts) > 0
}

// unsaved returns what failed flushes were to add and what is stored does not have: a
// flush that is in there had added what those before it left out. It is called in turn.
func (l *Ledger) unsaved(history State) []doubt {
	saved := history.marks[l.name].Flush
	return slices.DeleteFunc(slices.Clone(l.doubts), func(d doubt) bool { return d.flush <= saved })
}

func states(doubts []doubt) (all []State) {
	for _, d := range doubts {
		all = append(all, d.state)
	}
	return all
}

// State returns what is stored and what was counted since. Where what is stored
// cannot be had, it returns the rest and why.
func (l *Ledger) State(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	var state State
	err := await(ctx, func() error {
		if err := take(ctx, l.turn); err != nil {
			return err
		}
		defer give(l.turn)
		store, key := l.place()
		var history State
		var err error
		if store != nil {
			history, err = stored(ctx, store, key)
		}
		state = l.together(append(states(l.unsaved(history)), history, l.recorder.State())...)
		return err
	})
	if errors.Is(err, ErrNoAnswer) {
		return l.recorder.State(), err // the other one is still being written
	}
	return state, err
}

// place returns where to keep what was counted.
func (l *Ledger) place() (Store, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store, l.key
}

// take waits for a turn, which give gives back.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: another use of it is still under way", ErrNoAnswer)
	}
}

func give(turn chan struct{}) { <-turn }

// await runs f and stops waiting for it soon after the context has ended. Then f
// goes on by itself, and the error is [ErrNoAnswer].
func await(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return ErrNoAnswer
	}
}

// stored is Load for a reader, who sets nothing aside: that is for a flush, which
// holds the lock.
func stored(ctx context.Context, store Store, key string) (State, error) {
	return Load(ctx, readOnly{store}, key)
}

// SetAside reports whether an error says that a snapshot which could not be read was
// set aside, so that another may take its place.
func SetAside(err error) bool {
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
