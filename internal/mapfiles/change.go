package mapfiles

import (
	"context"
	"errors"
	"fmt"
	"time"
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
		impact, err := w.Seen.Compare(ctx, before.Judges, after.Judges)
		if ctx.Err() == nil {
			w.Tell.Impact(w.Workspace, impact, err)
		}
	}
	w.unlessClosed(func() {
		w.InForce.Store(after)
		w.failed = false
		w.metrics.Applied()
		w.Tell.applied(w.Workspace, w.Files, before.Map, after.Map)
	})
}

// build makes what is to be in force from changed files. Unlike [Files.Load] it never goes
// back.
func (w *Watch) build(c contents, now *Map) (*InForce, error) {
	next, err := w.Files.build(c)
	switch {
	case err != nil:
		return nil, err
	case next.Outdated != "":
		return nil, errors.New(next.Outdated)
	case next.Made.Before(now.Made):
		return nil, fmt.Errorf("the bundle %s was made on %s, before the one in force, of %s: to go back, reload the configuration",
			w.Files.Bundle, next.Made.Format(time.RFC3339), now.Made.Format(time.RFC3339))
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
