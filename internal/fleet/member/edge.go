package member

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/edge"
)

// Edge is the part of a gateway that asks authorities. It is safe for concurrent use.
type Edge struct {
	*edge.Client
	apply func(fleet.Change)
}

// NewEdge returns the part of an edge. Apply makes the gateway forget what a change concerns.
func NewEdge(client *edge.Client, apply func(fleet.Change)) *Edge { return &Edge{client, apply} }

// Tell applies changes and reports them to an authority. Their place in its log is not known.
func (e *Edge) Tell(changes ...fleet.Change) fleet.Generation {
	for _, change := range changes {
		e.apply(change)
	}
	e.Client.Tell(changes...)
	return 0
}

// Untold says why a change cannot be reported now.
func (e *Edge) Untold() fleet.Untold {
	if !e.Client.Status().Up {
		return fleet.UpstreamDown
	}
	return ""
}

// Status says how the subscription is.
func (e *Edge) Status(context.Context) fleet.Status {
	upstream := e.Client.Status()
	return fleet.Status{Role: "edge", Generation: e.Generation(), Upstream: &upstream}
}

// Tune does nothing: authorities say what may be asked.
func (e *Edge) Tune(time.Duration, int) {}

// Progress is about no edges: this one has none of its own.
func (e *Edge) Progress(_ context.Context, generation fleet.Generation) fleet.Progress {
	return fleet.Progress{Generation: generation, Stragglers: []string{}}
}
