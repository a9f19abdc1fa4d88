package recent

import (
	"iter"

	"github.com/scopegate/scopegate/internal/audit"
)

// Records visits all records that are held, the newest first. Requests that have ended since are
// not told as open ones.
func (g *Ring) Records() iter.Seq[*audit.Record] {
	return func(yield func(*audit.Record) bool) {
		ended := make(map[string]bool)
		for h := range g.records(new(page)) {
			r := h.record(h.i)
			if r.Outcome == audit.Open && ended[r.RequestID] {
				continue
			}
			ended[r.RequestID] = r.Outcome != audit.Open
			if !yield(r) {
				return
			}
		}
	}
}

// Latest returns the newest records that match, at most n of them and the newest first. Requests
// that have ended since are not told as open ones.
func (g *Ring) Latest(n int, matches func(*audit.Record) bool) (latest []*audit.Record) {
	if n <= 0 {
		return nil
	}
	for r := range g.Records() {
		if !matches(r) {
			continue
		}
		if latest = append(latest, r); len(latest) >= n {
			break
		}
	}
	return latest
}

// Count counts one more request. It must not be open.
func (c *Classes) Count(r *audit.Record) { *c.class(r)++ }
