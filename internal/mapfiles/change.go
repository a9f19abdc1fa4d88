package mapfiles

import (
	"context"
	"errors"
)

// begin takes the map in force as it was loaded.
func (w *Watch) begin() {
	if now := w.InForce.Load(); now.Outdated != "" {
		w.refuse(now.sum, errors.New(now.Outdated))
	}
}

// change puts changed files in force, or tells why not.
func (w *Watch) change(ctx context.Context, c contents, read sum) {
	if w.failed && read == w.refused {
		return // it was told
	}
	before := w.InForce.Load()
	after, err := w.build(c, before.Map)
	if err != nil {
		w.unlessClosed(func() { w.refuse(read, err) })
		return
	}
	if after.Catalog.Version() != before.Catalog.Version() {
		w.Seen.announce(ctx, w.Tell, w.Workspace, before.Judges, after.Judges)
	}
	w.unlessClosed(func() {
		w.InForce.Store(after)
		w.failed = false
		w.metrics.Applied()
		w.Tell.applied(w.Workspace, w.Files, before.Map, after.Map)
		switch after.Outdated {
		case "":
		case before.Outdated: // only the routes changed, and the bundle was told
			w.refused, w.failed = read, true
			w.metrics.Refused()
		default:
			w.refuse(read, errors.New(after.Outdated))
		}
	})
}

// build makes what is to be in force from changed files. Unlike [Files.Load] it never goes
// back, to an older bundle or to the shipped map.
func (w *Watch) build(c contents, now *Map) (*InForce, error) {
	next, err := w.Files.load(c)
	switch {
	case err != nil:
		return nil, err
	case next.Outdated != "" && now.Outdated == "":
		return nil, errors.New(next.Outdated)
	case next.Outdated == "":
		if problem := older(w.Files.Bundle, next.Made, now); problem != "" {
			return nil, errors.New(problem)
		}
	}
	judges, err := w.Prepare(next.Catalog)
	if err != nil {
		return nil, err
	}
	return &InForce{Map: next, Judges: judges}, nil
}

// refuse tells why changed files are not in force. The lock must be held.
func (w *Watch) refuse(read sum, err error) {
	w.refused, w.failed = read, true
	w.metrics.Refused()
	w.Tell.refused(w.Workspace, w.Files, w.InForce.Load().Map, err)
}

// recovered notes that the files are again what is in force.
func (w *Watch) recovered() {
	if !w.failed || w.InForce.Load().Outdated != "" {
		return
	}
	w.unlessClosed(func() {
		w.failed = false
		w.metrics.Recovered()
		w.Tell.recovered(w.Workspace, w.Files, w.InForce.Load().Map)
	})
}

// unlessClosed calls a function with the lock held, so that nothing happens after Close.
func (w *Watch) unlessClosed(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		do()
	}
}
