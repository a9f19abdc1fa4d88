package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushTimeout bounds one flush.
	flushTimeout = 30 * time.Second
	// closeTimeout bounds the last flush, so that it does not delay shutdown.
	closeTimeout = 2 * time.Second
	// stateTimeout bounds how long a report waits for the store. The largest
	// possible snapshot takes a few seconds to read.
	stateTimeout = 20 * time.Second
)

// Ledger counts calls and keeps the counts in a store, so that they survive restarts
// and so that gateways which share the store report together.
//
// Each ledger saves all that it counted under a key of its own and overwrites it with
// every flush: saving twice changes nothing, and needs no lock. Readers merge the
// snapshots of all gateways with what this one has in memory. Snapshots of gateways
// that stopped are folded into one, see fold.go. Without a store everything stays in
// memory. A Ledger is safe for concurrent use.
type Ledger struct {
	recorder *recorder // calls that no save has included yet
	options  Options
	learned  Learned
	confirms confirms

	// saving and folding are held while one is under way. They are channels because
	// waiting for them must be able to time out.
	saving, folding chan struct{}

	mu       sync.Mutex // guards the following; never held during I/O
	place    place
	lease    time.Duration
	instance instance
	nextFold time.Time
	recalled time.Time // when Learned was completed from the store; zero before that

	recalls atomic.Bool // Learned is in use

	work    sync.Mutex // guards the following
	stop    func()     // ends the flushes; nil while there are none
	onError func(error)
}

// NewLedger returns an empty ledger without a store.
func NewLedger(options Options) *Ledger {
	options = options.withDefaults()
	l := &Ledger{
		recorder: newRecorder(options), options: options, instance: newInstance(options),
		saving: make(chan struct{}, 1), folding: make(chan struct{}, 1),
	}
	l.confirms.begin(options, l.count)
	return l
}

// Seen counts a call, see [recorder.Seen].
func (l *Ledger) Seen(c Call) { l.recorder.Seen(c) }

// Repeat counts an answer of the workspace, see [recorder.Repeat].
func (l *Ledger) Repeat(a Answer) bool { return l.recorder.Repeat(a) }

// Count counts an answer that agrees without what it says, see [recorder.Count].
func (l *Ledger) Count(a Answer) { l.recorder.Count(a) }

// Learn counts an answer that may say something new. If the token's scopes may have changed
// since they were known, it counts a disagreement, or a refusal, only once the workspace
// confirmed them. Of other agreements, it counts the scopes as soon as they were looked up
// again anyway. It does not wait.
func (l *Ledger) Learn(a Answer) {
	if !a.Agreed {
		l.learned.learn(&a) // the workspace judges again whom this lets pass
	}
	switch {
	case a.certain():
		l.count(a)
	case a.Agreed && len(a.Named) == 0:
		l.recorder.claim(a)
	default:
		l.confirms.add(a)
	}
}

// count counts an answer whose scopes are certain.
func (l *Ledger) count(a Answer) {
	if first := l.recorder.Learn(a); !a.Agreed && a.Disagreed != nil {
		a.Disagreed(first)
	}
}

// Keep saves what was and will be counted below a prefix of a store: at every
// interval and by [Ledger.Close]. It replaces the store and interval set before; a
// nil store keeps everything in memory, and an interval of 0 leaves flushing to the
// caller. Errors of flushes are passed to onError; what could not be saved is saved by a
// later flush.
func (l *Ledger) Keep(store Store, prefix string, every time.Duration, onError func(error)) {
	l.work.Lock()
	defer l.work.Unlock()
	l.endFlushes()
	l.mu.Lock()
	l.place = place{store, prefix}
	l.lease = max(minLease, 3*every)
	l.instance.renew = true // it may be another store
	l.nextFold = time.Time{}
	l.mu.Unlock()
	l.onError = onError
	if store == nil || every <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		// The first flush comes at a random moment: gateways that share a store are
		// often started together.
		timer := time.NewTimer(rand.N(every))
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			timer.Reset(every)
			l.recallAgain(ctx)
			if err := l.flush(ctx); err != nil && (ctx.Err() == nil || SetAside(err)) {
				onError(err)
			}
		}
	}()
}

// endFlushes must be called with work locked.
func (l *Ledger) endFlushes() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// Close saves what is not saved yet and stops flushing. It returns within a few
// seconds, even if the store hangs. The error means that the latest counts are not
// saved.
func (l *Ledger) Close() error {
	l.work.Lock()
	defer l.work.Unlock()
	l.endFlushes()
	l.confirms.close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := l.flush(ctx)
	switch {
	case err == nil:
		return nil
	case SetAside(err) || errors.Is(err, ErrFold): // it is saved all the same
		if l.onError != nil {
			l.onError(err)
		}
		return nil
	}
	return fmt.Errorf("saving the latest token usage: %w", err)
}

// flush saves what was counted since the last flush, and from time to time folds what
// stopped gateways left. [ErrFold] means that only folding failed. An error that is
// [ErrCorrupt] or [ErrNewerVersion], and not [ErrNotSetAside], means that a snapshot
// could not be read and was set aside. errNoAnswer means that the outcome is not
// known yet: the flush continues when the store does.
func (l *Ledger) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := await(ctx, func() error { return l.save(ctx) }); err != nil {
		return err
	}
	err := await(ctx, func() error { return l.fold(ctx) })
	if err != nil && !SetAside(err) {
		return fmt.Errorf("%w: %w", ErrFold, err)
	}
	return err
}

// save writes this instance's snapshot, if there is anything new in it. A save that
// failed is repeated by the next one, which contains it.
func (l *Ledger) save(ctx context.Context) error {
	if err := take(ctx, l.saving); err != nil {
		return err
	}
	defer give(l.saving)
	l.mu.Lock()
	place, began := l.place, l.options.Now()
	if place.store == nil || !l.instance.prepare(l.recorder, l.options, l.lease) {
		l.mu.Unlock()
		return nil
	}
	id, until := l.instance.id, began.Add(l.lease).UnixMilli()
	state := together(l.options, l.instance.saved.State(), l.instance.unsaved.State())
	l.mu.Unlock()
	about := envelope{Until: until}
	about.Workspace, about.Instance = place.address(place.instanceKey(id))
	data, err := marshalSnapshot(state, about)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("saving token usage: %w", errNoAnswer)
	}
	if err := place.store.Save(ctx, place.instanceKey(id), data); err != nil {
		return fmt.Errorf("saving token usage: %w", err)
	}
	l.mu.Lock()
	l.instance.done(began)
	l.mu.Unlock()
	return nil
}

// Settle waits a few seconds for answers that are being confirmed.
func (l *Ledger) Settle(ctx context.Context) { l.confirms.wait(ctx, confirmTimeout) }

// State returns what all gateways saved and what this one counted since. If the store cannot
// be read, it returns what is known here, and why.
func (l *Ledger) State(ctx context.Context) (State, error) {
	state, err := l.read(ctx)
	if err != nil && len(state.Unread) == 0 {
		state.Unread = []Unread{{}}
	}
	return state, err
}

func (l *Ledger) read(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	var state State
	err := await(ctx, func() (err error) {
		state, err = l.state(ctx)
		return err
	})
	if errors.Is(err, errNoAnswer) {
		return l.counted(contents{}), err // the other one is still being written
	}
	return state, err
}

func (l *Ledger) state(ctx context.Context) (State, error) {
	for {
		l.mu.Lock()
		place, id := l.place, l.instance.id
		l.mu.Unlock()
		var found contents
		if place.store != nil {
			var err error
			if found, err = place.read(ctx, id); err != nil {
				return l.counted(contents{}), err
			}
		}
		state := l.counted(found)
		l.mu.Lock()
		same := id == l.instance.id
		if len(found.unreadable) > 0 {
			l.nextFold = time.Time{} // which sets them aside
		}
		l.mu.Unlock()
		if same {
			return state, found.problem()
		}
	}
}

// counted adds what this ledger counted to what was found in the store.
func (l *Ledger) counted(found contents) State {
	states := []State{found.folded.state}
	for _, p := range found.parts {
		if _, ok := found.folded.Folded[p.name]; !ok {
			states = append(states, p.state)
		}
	}
	l.mu.Lock()
	if _, ok := found.folded.Folded[l.instance.id]; !ok {
		states = append(states, l.instance.saved.State())
	}
	states = append(states, l.instance.unsaved.State(), l.recorder.State())
	l.mu.Unlock()
	sum := together(l.options, states...)
	sum.Unread = slices.Clone(found.aside)
	for _, u := range found.unreadable {
		sum.Unread = append(sum.Unread, Unread{File: path.Base(u.key)})
	}
	sortUnread(sum.Unread)
	return sum
}

// together adds states up, within the caps.
func together(options Options, states ...State) State {
	sum := newRecorder(options)
	for _, state := range states {
		sum.Merge(state)
	}
	return sum.State()
}
