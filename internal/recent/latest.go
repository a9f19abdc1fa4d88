package recent

import "github.com/scopegate/scopegate/internal/audit"

// Latest returns the newest records that match, at most n of them and the newest first. Requests
// that have ended since are not told as open ones.
func (g *Ring) Latest(n int, matches func(*audit.Record) bool) (latest []*audit.Record) {
	ended := make(map[string]bool)
	for h := range g.records(new(page)) {
		if len(latest) >= n {
			break
		}
		r := h.record(h.i)
		if r.Outcome == audit.Open && ended[r.RequestID] {
			continue
		}
		ended[r.RequestID] = r.Outcome != audit.Open
		if matches(r) {
			latest = append(latest, r)
		}
	}
	return latest
}

// Count counts one more request. It must not be open.
func (c *Classes) Count(r *audit.Record) { *c.class(r)++ }
