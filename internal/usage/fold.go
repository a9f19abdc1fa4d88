package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Snapshots of instances that stopped are folded: one of the running gateways adds
// them to the folded snapshot, which lists what it contains, and then deletes them.
// If it crashes between the two, readers skip what the folded snapshot lists, and the
// next fold deletes it.

// ErrFold means that snapshots of stopped gateways could not be folded. Nothing is
// lost: it is tried again.
var ErrFold = errors.New("folding usage snapshots of stopped gateways")

const (
	// foldEvery is how often each gateway looks for snapshots to fold.
	foldEvery = 6 * time.Hour
	// markLife is how long the folded snapshot lists one that was deleted, for an
	// instance that was suspended and not stopped. See reclaim.
	markLife = 30 * 24 * time.Hour
)

// foldMark says which save of an instance is in a folded snapshot, and when it was
// folded, in epoch milliseconds.
type foldMark struct {
	Saves uint64 `json:"saves"`
	At    int64  `json:"at"`
}

// foldDue returns where to fold, and no place if it is not time yet.
func (l *Ledger) foldDue() place {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.options.Now().Before(l.nextFold) {
		return place{}
	}
	return l.place
}

// fold folds what stopped instances left and sets aside what cannot be read.
func (l *Ledger) fold(ctx context.Context, p place) error {
	select {
	case l.folding <- struct{}{}:
	default:
		return fmt.Errorf("%w: an earlier attempt has not finished", ErrNoAnswer)
	}
	defer give(l.folding)
	l.mu.Lock()
	self := l.instance.id
	l.mu.Unlock()
	// Most of the time there is nothing to do, which needs no lock.
	found, err := p.read(ctx, self)
	if err != nil {
		return err
	}
	if work := found.toFold(p, l.options.Now(), true); !work.empty() {
		err = p.locked(ctx, p.foldedKey(), func() error {
			if !work.shared {
				return l.foldLocked(ctx, p, self, false)
			}
			// Older versions add to the shared snapshot under this lock.
			return p.locked(ctx, p.sharedKey(), func() error { return l.foldLocked(ctx, p, self, true) })
		})
	}
	if err == nil || SetAside(err) {
		l.mu.Lock()
		l.nextFold = l.options.Now().Add(foldEvery)
		l.mu.Unlock()
	}
	return err
}

// foldLocked folds while holding the lock, and the lock of the shared snapshot too if
// it may be folded. An error that is SetAside comes after everything was done.
func (l *Ledger) foldLocked(ctx context.Context, p place, self string, shared bool) error {
	found, err := p.read(ctx, self)
	if err != nil {
		return err
	}
	now := l.options.Now()
	work := found.toFold(p, now, shared)
	var notices []error
	for _, u := range work.unreadable {
		notice := p.setAside(ctx, u)
		if !SetAside(notice) {
			return notice
		}
		notices = append(notices, notice)
	}
	if len(work.stopped) > 0 {
		if err := p.saveFolded(ctx, l.options, found, work.stopped, now, l.leaseEnd(now)); err != nil {
			return err
		}
	}
	for _, one := range append(work.stopped, work.leftover...) {
		if err := p.store.Delete(ctx, one.key); err != nil {
			return fmt.Errorf("deleting %s: %w", one.key, err)
		}
	}
	return errors.Join(notices...)
}

func (l *Ledger) leaseEnd(now time.Time) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Add(l.lease).UnixMilli()
}

// saveFolded adds snapshots to the folded one.
func (p place) saveFolded(ctx context.Context, options Options, found contents, stopped []part, now time.Time, until int64) error {
	marks := make(map[string]foldMark)
	maps.Copy(marks, found.folded.Folded)
	present := make(map[string]bool)
	states := []State{found.folded.state}
	for _, one := range found.parts {
		present[one.name] = true
	}
	maps.DeleteFunc(marks, func(name string, m foldMark) bool {
		return !present[name] && now.UnixMilli()-m.At > markLife.Milliseconds()
	})
	for _, one := range stopped {
		states = append(states, one.state)
		marks[one.name] = foldMark{one.Saves, now.UnixMilli()}
	}
	data, err := marshalSnapshot(together(options, states...), envelope{Until: until, Folded: marks})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		// The lock may have been lost meanwhile, and another gateway may have folded.
		return ErrNoAnswer
	}
	if err := p.store.Save(ctx, p.foldedKey(), data); err != nil {
		return fmt.Errorf("saving %s: %w", p.foldedKey(), err)
	}
	return nil
}

// foldWork is what a fold has to do.
type foldWork struct {
	stopped    []part // to be added and deleted
	leftover   []part // contained already, to be deleted
	unreadable []unreadable
	shared     bool // the shared snapshot is among them
}

func (w *foldWork) empty() bool { return len(w.stopped)+len(w.leftover)+len(w.unreadable) == 0 }

// toFold returns what there is to fold. A snapshot of a newer version that says it is
// in use is left alone, and so is everything if that is the folded one.
func (c *contents) toFold(p place, now time.Time, shared bool) (work foldWork) {
	for _, u := range c.unreadable {
		inUse := errors.Is(u.err, ErrNewerVersion) && now.UnixMilli() < u.until
		switch {
		case inUse && u.key == p.foldedKey():
			return foldWork{}
		case inUse || u.key == p.sharedKey() && !shared:
		default:
			work.unreadable = append(work.unreadable, u)
			work.shared = work.shared || u.key == p.sharedKey()
		}
	}
	for _, one := range c.parts {
		_, folded := c.folded.Folded[one.name]
		switch {
		case one.key == p.sharedKey() && !shared:
			continue
		case folded:
			work.leftover = append(work.leftover, one)
		case now.UnixMilli() >= one.Until:
			work.stopped = append(work.stopped, one)
		default:
			continue
		}
		work.shared = work.shared || one.key == p.sharedKey()
	}
	return work
}

// reclaim finds out, under the lock, whether another gateway took this instance for
// stopped, as happens to one that is suspended or cut off from the store for long. If
// its snapshot was folded, the ledger goes on as a new instance with what the folded
// snapshot does not contain.
func (l *Ledger) reclaim(ctx context.Context, p place) error {
	var found contents
	folded, exists, err := p.load(ctx, &found, p.foldedKey())
	if err != nil {
		return err
	}
	l.mu.Lock()
	id, saves := l.instance.id, l.instance.saves
	forgotten := l.options.Now().Sub(l.instance.saved) >= l.lease+markLife
	l.mu.Unlock()
	mark, isFolded := folded.Folded[id]
	if !isFolded && exists && forgotten {
		// The folded snapshot may have contained it and no longer list it.
		if _, there, err := p.load(ctx, &found, p.instanceKey(id)); err != nil {
			return err
		} else if !there {
			mark, isFolded = foldMark{Saves: saves}, true
		}
	}
	if !isFolded {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorder.Merge(l.instance.beyond(mark))
	l.instance = newInstance(l.options)
	return nil
}
