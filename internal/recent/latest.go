package recent

import "github.com/scopegate/scopegate/internal/audit"

// Latest returns copies of the newest records that match, at most n of them and the newest
// first. Of a request that has ended, only the last record is there.
func (g *Ring) Latest(n int, matches func(*audit.Record) bool) (latest []*audit.Record) {
	if g == nil {
		return nil
	}
	next := g.next.Load()
	for i := next; i > next-min(next, g.size) && len(latest) < n; i-- {
		at := (i - 1) % g.size
		slots := g.pages[at/pageSize].Load()
		if slots == nil {
			continue // its first record is being written
		}
		if r, _ := slots[at%pageSize].get(matches); r != nil {
			latest = append(latest, r)
		}
	}
	return latest
}
