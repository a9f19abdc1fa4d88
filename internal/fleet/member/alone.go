package member

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/changelog"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// Alone is the part of a gateway that asks the workspace and shares with no other one. It may
// answer edges. It is safe for concurrent use.
type Alone struct {
	*changelog.Local
	observer fleet.Observer
	served   served
}

// NewAlone returns the part of a gateway. Apply makes the gateway forget what a change
// concerns.
func NewAlone(apply func(fleet.Change), observer fleet.Observer, now func() time.Time) *Alone {
	return &Alone{Local: changelog.NewLocal(apply, now), observer: observer, served: newServed()}
}

// Tell applies changes and tells the edges. It returns the generation of the last one.
func (a *Alone) Tell(changes ...fleet.Change) fleet.Generation {
	generation := a.Publish(changes...)
	for _, change := range changes {
		a.observer.Published(change.Kind)
	}
	return generation
}

// TokensChanged implements [tokens.ChangeObserver]: the gateway knows already what its own
// look-ups find, and its edges do not.
func (a *Alone) TokensChanged(answers ...tokens.Answer) {
	changes := make([]fleet.Change, len(answers))
	for i, answer := range answers {
		changes[i] = fleet.Change{Kind: fleet.TokenChanged, Token: answer.ID}
		a.observer.Published(fleet.TokenChanged)
	}
	a.Note(changes...)
}

// Serve counts a server as this gateway's until leave is called.
func (a *Alone) Serve(server Server) (leave func()) { return a.served.add(server) }

// Untold is empty: the log is in memory, and takes every change.
func (a *Alone) Untold() fleet.Untold { return "" }

// Status says how the edges are.
func (a *Alone) Status(context.Context) fleet.Status {
	_, last := a.Position()
	status := fleet.Status{Role: "single", Generation: last}
	if edges, answers := a.served.edges(); answers {
		status.Role, status.Edges = "authority", edges
	}
	return status
}

// Progress says how far a change has come among the edges.
func (a *Alone) Progress(_ context.Context, generation fleet.Generation) fleet.Progress {
	return a.served.progress(generation)
}

// Start does nothing: there is nobody to listen to.
func (a *Alone) Start() {}

// Tune does nothing: there is nobody who uses what this gateway finds out.
func (a *Alone) Tune(time.Duration, int) {}

// UsageStore is nil: usage is kept in Caddy's storage.
func (a *Alone) UsageStore() usage.Store { return nil }

// Close does nothing: the log is in memory.
func (a *Alone) Close() {}

// Interface guard
var _ tokens.ChangeObserver = (*Alone)(nil)
