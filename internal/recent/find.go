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
// record.
func (g *Ring) Find(prefix string) []Found {
	found := make(map[string]*Found)
	g.each(func(r *audit.Record) bool {
		return len(r.RequestID) >= len(prefix) && strings.EqualFold(r.RequestID[:len(prefix)], prefix)
	}, func(r *audit.Record, number uint64) {
		id := strings.ToLower(r.RequestID)
		known := found[id]
		switch {
		case known == nil:
			found[id] = &Found{Record: r, number: number}
		case r.Outcome == audit.Open && known.Record.Outcome != audit.Open:
			// It came late, or belongs to another request with this id.
		case known.Record.Outcome == audit.Open && r.Outcome != audit.Open:
			known.Record, known.number = r, number
		default:
			known.Same++
			if number > known.number {
				known.Record, known.number = r, number
			}
		}
	})
	all := make([]Found, 0, len(found))
	for _, f := range found {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Found) int { return cmp.Compare(b.number, a.number) })
	return all
}

// Span returns how many records are held, and when the oldest request among them arrived.
func (g *Ring) Span() (held int, oldest time.Time) {
	first := uint64(0)
	g.each(func(*audit.Record) bool { return true }, func(r *audit.Record, number uint64) {
		held++
		if first == 0 || number < first {
			first, oldest = number, r.Time
		}
	})
	return held, oldest
}

// each visits copies of the records that match.
func (g *Ring) each(matches func(*audit.Record) bool, visit func(r *audit.Record, number uint64)) {
	if g == nil {
		return
	}
	for i := range min(g.next.Load(), g.size) {
		slots := g.pages[i/pageSize].Load()
		if slots == nil {
			continue // its first record is being written
		}
		if r, number := slots[i%pageSize].get(matches); r != nil {
			visit(r, number)
		}
	}
}
