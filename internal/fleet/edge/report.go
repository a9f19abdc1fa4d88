package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

const (
	// maxReports bounds what waits to be reported. What is more than that may concern anything.
	maxReports = 1000
	// reportRetry is the pause after a report that no authority took.
	reportRetry = time.Second
	// lastChance bounds the attempt to report at the end.
	lastChance = time.Second
)

// reports are changes that this edge saw and no authority knows of yet.
type reports struct {
	mu      sync.Mutex
	waiting []fleet.Change
	more    chan struct{}

	// ctx ends before that of the client, for the last report.
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup
}

// put sets what waits. The lock is held.
func (r *reports) put(waiting []fleet.Change) {
	if len(waiting) > maxReports {
		waiting = []fleet.Change{{Kind: fleet.OwnersChanged}}
	}
	r.waiting = waiting
}

// take returns the changes of the next report. They wait no more.
func (r *reports) take() []fleet.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.waiting), wire.MaxChanges)
	batch := slices.Clone(r.waiting[:n])
	r.waiting = slices.Clone(r.waiting[n:])
	return batch
}

// putBack makes changes wait again, before those that came meanwhile.
func (r *reports) putBack(batch []fleet.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(append(batch, r.waiting...))
}

// Tell reports changes that this edge saw in passing. It does not wait.
func (c *Client) Tell(changes ...fleet.Change) {
	r := &c.reports
	r.mu.Lock()
	r.put(append(r.waiting, changes...))
	r.mu.Unlock()
	for _, change := range changes {
		c.options.Observer.Published(change.Kind)
	}
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// report hands over what waits, until the context ends.
func (c *Client) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.reports.more:
		}
		for !c.handOver(ctx) {
			timer := time.NewTimer(reportRetry)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}
}

// handOver reports what waits. It is false if no authority took it; it stays then.
func (c *Client) handOver(ctx context.Context) bool {
	for {
		batch := c.reports.take()
		if len(batch) == 0 {
			return true
		}
		if !c.reported(ctx, batch) {
			c.reports.putBack(batch)
			return false
		}
	}
}

func (c *Client) reported(ctx context.Context, batch []fleet.Change) bool {
	report := wire.Report{Changes: make([]wire.Change, len(batch))}
	for i, change := range batch {
		report.Changes[i] = wire.ChangeOf(change)
	}
	body, err := json.Marshal(report)
	if err != nil {
		return true // texts and numbers
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	found, err := c.ask(ctx, request{http.MethodPost, "changes", body, wire.MaxAnswer})
	return err == nil && found.status/100 == 2
}

// lastReport tries once more, before the client is closed, and says what is lost.
func (c *Client) lastReport() {
	c.reports.end()
	c.reports.running.Wait() // what it was reporting waits again
	ctx, cancel := context.WithTimeout(c.ctx, lastChance)
	defer cancel()
	if c.handOver(ctx) {
		return
	}
	c.reports.mu.Lock()
	defer c.reports.mu.Unlock()
	c.options.Logger().Warn("no authority took what this edge saw of changed tokens before it ended; others go on with what they know of these until cache ttl",
		zap.Int("changes", len(c.reports.waiting)), zap.String("workspace", c.options.WorkspaceURL))
	c.reports.waiting = nil // it is said once
}
