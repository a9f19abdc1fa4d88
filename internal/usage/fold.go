package usage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Snapshots of gateways that stopped are folded: one of the running gateways adds them
// to the folded snapshot, which names what it contains, and then deletes them. If it
// crashes between the two, readers skip what the folded snapshot names, and the next
// fold deletes it.

// ErrFold means that snapshots of stopped gateways could not be folded. Nothing is
// lost: it is tried again.
var ErrFold = errors.New("folding usage snapshots of stopped gateways")

// foldEvery is how often each gateway looks for snapshots to fold.
const foldEvery = 6 * time.Hour

// fold folds what stopped gateways left and sets aside what cannot be read, if it is
// time. An error that is SetAside comes after everything was done.
func (l *Ledger) fold(ctx context.Context) error {
	if err := take(ctx, l.folding); err != nil {
		return err
	}
	defer give(l.folding)
	l.mu.Lock()
	p, self, due := l.place, l.instance.id, !l.options.Now().Before(l.nextFold)
	l.mu.Unlock()
	if p.store == nil || !due {
		return nil
	}
	// Most of the time there is nothing to do, which needs no lock.
	found, err := p.read(ctx, self)
	if err != nil {
		return err
	}
	if work := found.toFold(p, l.options.Now()); !work.empty() {
		// Older versions add to the snapshot that they share under its lock.
		err = p.locked(ctx, p.foldedKey(), func() error {
			return p.locked(ctx, p.sharedKey(), func() error { return l.foldLocked(ctx, p, self) })
		})
	}
	if err == nil || SetAside(err) {
		l.mu.Lock()
		l.nextFold = l.options.Now().Add(foldEvery)
		l.mu.Unlock()
	}
	return err
}

func (l *Ledger) foldLocked(ctx context.Context, p place, self string) error {
	found, err := p.read(ctx, self)
	if err != nil {
		return err
	}
	work := found.toFold(p, l.options.Now())
	var notices []error
	for _, u := range work.unreadable {
		notice := p.setAside(ctx, u, l.options.Now())
		if !SetAside(notice) {
			return notice
		}
		notices = append(notices, notice)
	}
	if len(work.stopped) > 0 {
		if err := l.saveFolded(ctx, p, found, work.stopped); err != nil {
			return err
		}
	}
	for _, one := range append(work.stopped, work.contained...) {
		if err := p.store.Delete(ctx, one.key); err != nil {
			return fmt.Errorf("deleting %s: %w", one.key, err)
		}
	}
	return errors.Join(notices...)
}

// saveFolded adds snapshots to the folded one.
func (l *Ledger) saveFolded(ctx context.Context, p place, found contents, stopped []part) error {
	now := l.options.Now()
	present := make(map[string]bool)
	for _, one := range found.parts {
		present[one.name] = true
	}
	contained := make(map[string]int64)
	for name, at := range found.folded.Folded {
		// A reader that saw it before it was deleted may still be at work.
		if present[name] || now.UnixMilli()-at < minLease.Milliseconds() {
			contained[name] = at
		}
	}
	states := []State{found.folded.state}
	for _, one := range stopped {
		states = append(states, one.state)
		contained[one.name] = now.UnixMilli()
	}
	about := envelope{Until: now.Add(minLease).UnixMilli(), Folded: contained}
	about.Workspace, about.Instance = p.address(p.foldedKey())
	data, err := marshalSnapshot(together(l.options, states...), about)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errNoAnswer // the lock may be lost, and another gateway may have folded
	}
	if err := p.store.Save(ctx, p.foldedKey(), data); err != nil {
		return fmt.Errorf("saving %s: %w", p.foldedKey(), err)
	}
	return nil
}

// foldWork is what a fold has to do.
type foldWork struct {
	stopped    []part // to be added and deleted
	contained  []part // in the folded snapshot already, to be deleted
	unreadable []unreadable
}

func (w *foldWork) empty() bool { return len(w.stopped)+len(w.contained)+len(w.unreadable) == 0 }

// toFold returns what there is to fold. A snapshot of a newer version that says it is
// in use is left alone, as is one that this process may not read, and so is everything if
// that is the folded one.
func (c *contents) toFold(p place, now time.Time) (work foldWork) {
	for _, u := range c.unreadable {
		switch inUse := u.withheld || errors.Is(u.err, ErrNewerVersion) && now.UnixMilli() < u.until; {
		case !inUse:
			work.unreadable = append(work.unreadable, u)
		case u.key == p.foldedKey():
			return foldWork{}
		}
	}
	for _, one := range c.parts {
		if _, ok := c.folded.Folded[one.name]; ok {
			work.contained = append(work.contained, one)
		} else if now.UnixMilli() >= one.Until {
			work.stopped = append(work.stopped, one)
		}
	}
	return work
}
