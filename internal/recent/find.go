package recent

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// Found is the record of a request.
type Found struct {
	Record *audit.Record
	// Same is how many other records have the same id: the workspace may repeat an id that
	// clients choose.
	Same int

	number uint64
}

// Find returns the newest record of every request id that begins with a prefix, the newest
// first. Letter case does not matter. Of a request that has ended, it returns the last
// record. Records without a request id are not found.
func (g *Ring) Find(prefix string) []Found {
	found := make(map[string]*Found)
	var each audit.Record
	for h := range g.records(new(page)) {
		h.head(h.i, &each)
		id := each.RequestID
		if id == "" || len(id) < len(prefix) || !strings.EqualFold(id[:len(prefix)], prefix) {
			continue
		}
		r, id := h.record(h.i), strings.ToLower(id)
		known := found[id]
		switch {
		case known == nil:
			found[id] = &Found{Record: r, number: h.number()}
		case r.Outcome == audit.Open && known.Record.Outcome != audit.Open:
			// The request has ended since, or it is another one with this id.
		case known.Record.Outcome == audit.Open && r.Outcome != audit.Open:
			known.Record, known.number = r, h.number() // writers have overtaken each other
		default:
			known.Same++
		}
	}
	all := make([]Found, 0, len(found))
	for _, f := range found {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Found) int { return cmp.Compare(b.number, a.number) })
	return all
}

// Span returns how many records are held, and when the oldest request among them arrived.
// Those that a request left while it was open do not count once it has ended.
func (g *Ring) Span() (held int, oldest time.Time) {
	ended := make(map[string]bool)
	var open []string
	var r audit.Record
	for h := range g.records(new(page)) {
		h.head(h.i, &r)
		oldest = r.Time
		if r.Outcome == audit.Open {
			open = append(open, r.RequestID)
			continue
		}
		held++
		ended[r.RequestID] = true
	}
	for _, id := range open {
		if !ended[id] {
			held++
		}
	}
	return held, oldest
}
