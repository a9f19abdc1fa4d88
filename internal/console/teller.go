package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// edgesPatience is how long a page waits for edges, and edgesPause between two questions.
	edgesPatience = 3 * time.Second
	edgesPause    = 50 * time.Millisecond
	// maxStragglers is how many edges are named.
	maxStragglers = 5
)

// teller tells the gateway and its fleet that a token was changed.
type teller struct {
	*server
	workspace  adminapi.Workspace
	told       bool
	generation fleet.Generation
}

// forget makes the gateway and its fleet forget a token.
func (t *teller) forget(id tokens.ID) {
	t.reports.mu.Lock()
	t.reports.last = nil // the next page shows what the token holds now
	t.reports.mu.Unlock()
	var err error
	if t.workspace, err = t.server.workspace(); err == nil {
		t.told = true
		_, t.generation = t.workspace.Tokens.PurgeFleet(context.Background(), id)
	}
}

// await waits a while for edges, and says who knows of the change.
func (t *teller) await(ctx context.Context) string {
	const now, later = "This gateway applies it now.", "other gateways apply it within their cache ttl"
	switch {
	case !t.told:
		return "The gateway could not be told; " + later + "."
	case t.workspace.Fleet == nil:
		return now
	case t.generation == 0:
		if untold := t.workspace.Fleet.Untold(); untold != "" {
			return now + fmt.Sprintf(" Others could not be told yet (%s); %s.", untold, later)
		}
		return now
	}
	ctx, cancel := context.WithTimeout(ctx, edgesPatience)
	defer cancel()
	for {
		p := t.workspace.Fleet.Progress(ctx, t.generation)
		if p.Edges == 0 {
			return now
		}
		if p.Applied >= p.Edges || !pause(ctx, edgesPause) {
			text := fmt.Sprintf("Acknowledged by %d of %s.", p.Applied, count(p.Edges, "edge"))
			if names := p.Stragglers[:min(len(p.Stragglers), maxStragglers)]; p.Applied < p.Edges && len(names) > 0 {
				text += " Not yet: " + strings.Join(names, ", ") + "."
			}
			return now + " " + text
		}
	}
}

// pause waits, and is false when the context ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
