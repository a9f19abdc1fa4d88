package authority

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/strictjson"
)

// doubtEvery is how often all facts are doubted at most because edges say so. What comes more
// often takes effect together.
const doubtEvery = 5 * time.Second

// report takes what an edge saw in passing. Tokens and owners are believed: that makes this
// gateway ask for them again, no more. What concerns all tokens only casts doubt, as anybody
// may bring that about at an edge.
func (s *Server) report(w http.ResponseWriter, r *http.Request, c *call) *problem {
	body, p := c.body(w, r, wire.MaxReport)
	if p != nil {
		return p
	}
	changes, ok := parseReport(body)
	if !ok {
		return malformed("the body is not a report")
	}
	var single []fleet.Change
	var all []fleet.Kind
	for _, change := range changes {
		if kind := doubtOf(change.Kind); kind != "" {
			all = append(all, kind)
		} else if !slices.Contains(single, change) {
			single = append(single, change)
		}
	}
	switch n := len(single); {
	case n > reportBurst: // one doubt takes less than many changes
		kind := fleet.Doubted
		if slices.ContainsFunc(single, func(c fleet.Change) bool { return c.Kind == fleet.OwnerChanged }) {
			kind = fleet.OwnersDoubted
		}
		all = append(all, kind)
	case n > 0 && !c.edge.take(c.now, n, reportsOf):
		return tooMany("this edge reports more changes than are believed; send the report again", time.Second)
	case n > 0:
		s.publish(single...)
	}
	s.doubts.add(all...)
	return done(w, http.StatusAccepted)
}

// doubtOf returns what a change of all tokens becomes, empty for one of a single one.
func doubtOf(kind fleet.Kind) fleet.Kind {
	switch kind {
	case fleet.AllChanged, fleet.Doubted:
		return fleet.Doubted
	case fleet.OwnersChanged, fleet.OwnersDoubted:
		return fleet.OwnersDoubted
	case fleet.UnknownChanged:
		return fleet.UnknownChanged
	}
	return ""
}

// parseReport parses a report. One change that makes no sense spoils all of it.
func parseReport(body []byte) (changes []fleet.Change, ok bool) {
	var report wire.Report
	if strictjson.Unmarshal(body, &report) != nil || len(report.Changes) == 0 || len(report.Changes) > wire.MaxChanges {
		return nil, false
	}
	for _, said := range report.Changes {
		change := fleet.Change{Kind: said.Kind, Owner: said.Owner}
		switch {
		case said.Kind == fleet.TokenChanged && said.Owner == 0:
			if change.Token, ok = tokenID(said.Token); !ok {
				return nil, false
			}
		case said.Kind == fleet.OwnerChanged && said.Token == "" && said.Owner > 0:
		case doubtOf(said.Kind) != "" && said.Token == "" && said.Owner == 0:
		default:
			return nil, false
		}
		changes = append(changes, change)
	}
	return changes, true
}

// doubts publishes what edges say of all tokens, at most once in [doubtEvery] for all edges
// together. Nothing is lost: what comes too early takes effect later.
type doubts struct {
	publish func(...fleet.Change)
	now     func() time.Time

	mu      sync.Mutex
	last    time.Time
	pending []fleet.Kind // each once
	timer   *time.Timer  // nil unless something is pending
	closed  bool
	running sync.WaitGroup
}

func (d *doubts) add(kinds ...fleet.Kind) {
	if len(kinds) == 0 {
		return
	}
	d.mu.Lock()
	for _, kind := range kinds {
		if !slices.Contains(d.pending, kind) {
			d.pending = append(d.pending, kind)
		}
	}
	if d.timer != nil {
		d.mu.Unlock()
		return
	}
	if wait := doubtEvery - d.now().Sub(d.last); wait > 0 && !d.last.IsZero() && !d.closed {
		d.running.Add(1)
		d.timer = time.AfterFunc(wait, func() {
			defer d.running.Done()
			d.mu.Lock()
			d.timer = nil
			d.flush()
		})
		d.mu.Unlock()
		return
	}
	d.flush()
}

// flush publishes what is pending. It is called with the lock, and unlocks it.
func (d *doubts) flush() {
	pending := d.pending
	d.pending, d.last = nil, d.now()
	d.mu.Unlock()
	var changes []fleet.Change
	for _, kind := range pending {
		if kind == fleet.Doubted && slices.Contains(pending, fleet.OwnersDoubted) {
			continue // which says as much
		}
		changes = append(changes, fleet.Change{Kind: kind})
	}
	if len(changes) > 0 {
		d.publish(changes...)
	}
}

// close publishes what is pending at once.
func (d *doubts) close() {
	d.mu.Lock()
	d.closed = true
	if d.timer != nil && d.timer.Stop() {
		d.timer = nil
		d.running.Done()
	}
	d.flush()
	d.running.Wait()
}
