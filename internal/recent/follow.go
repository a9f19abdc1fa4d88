package recent

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

const (
	// followEvery is how often a follower looks for new records: it looks, so that requests
	// need not know of it.
	followEvery = 250 * time.Millisecond
	// followMost bounds what it gets each time.
	followMost = 200
	// followSilence is how long it waits for a record before it gets none.
	followSilence = 15 * time.Second
)

// Follow yields the records that are put from now on, until ctx ends: four times a second at
// most 200, the oldest first, and how many before them were missed because there were more.
// After 15 seconds without any, it yields none, so that a follower notices when its own reader
// has left. It costs requests nothing.
func (g *Ring) Follow(ctx context.Context) iter.Seq2[[]*audit.Record, int] {
	from := g.position()
	return func(yield func([]*audit.Record, int) bool) {
		if g == nil {
			return
		}
		look := time.NewTicker(followEvery)
		defer look.Stop()
		buf, silent := new(page), time.Duration(0)
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			if silent += followEvery; g.position() == from && silent < followSilence {
				continue
			}
			silent = 0
			records, missed := g.since(&from, buf)
			if !yield(records, missed) {
				return
			}
		}
	}
}

// position returns the number of the next record.
func (g *Ring) position() uint64 {
	if g == nil {
		return 0
	}
	g.lock()
	defer g.mu.Unlock()
	return g.next
}

// since returns the newest records from a number on, which it advances, and how many were
// left out.
func (g *Ring) since(from *uint64, buf *page) (records []*audit.Record, missed int) {
	next := *from
	for h := range g.records(buf) {
		if h.number() < *from || len(records) == followMost {
			break
		}
		if len(records) == 0 {
			next = h.number() + 1
		}
		records = append(records, h.record(h.i))
	}
	missed = int(next-*from) - len(records)
	*from = next
	slices.Reverse(records)
	return records, missed
}
