package recent

import (
	"sync"
	"sync/atomic"

	"github.com/scopegate/scopegate/internal/audit"
)

// Size is how many decisions a gateway holds.
const Size = 10_000

// pageSize is how many slots are made at once: a gateway with little traffic needs little
// memory.
const pageSize = 250

// Ring holds the records of the last decisions. A request pays for one write into a slot
// of its own. A nil *Ring holds nothing.
type Ring struct {
	size  uint64
	next  atomic.Uint64 // counts records
	pages []atomic.Pointer[[pageSize]slot]

	// open are the slots of requests that have not ended, by request id.
	mu       sync.Mutex
	open     map[string]*slot
	openings atomic.Int64 // len(open), for requests that need not look
}

// New returns a ring for so many records.
func New(size int) *Ring {
	return &Ring{
		size:  uint64(size),
		pages: make([]atomic.Pointer[[pageSize]slot], (size+pageSize-1)/pageSize),
		open:  make(map[string]*slot),
	}
}

// Put keeps a record, in the place of the oldest one. The last record of a request also
// removes the one that the request left while it was open. Records without a request id
// cannot be asked for, and are not kept.
func (g *Ring) Put(r *audit.Record) {
	if g == nil || r.Brief || r.RequestID == "" {
		return
	}
	if r.Outcome != audit.Open && g.openings.Load() > 0 {
		g.ended(r.RequestID)
	}
	n := g.next.Add(1) - 1
	s := g.slot(n % g.size)
	if r.Outcome == audit.Open {
		g.opened(r.RequestID, s) // first, so that whoever overwrites the slot finds the note
	}
	if overwritten := s.set(r, n+1); overwritten != "" {
		g.forget(overwritten, s)
	}
}

// slot returns a slot, and makes its page if need be.
func (g *Ring) slot(i uint64) *slot {
	page := &g.pages[i/pageSize]
	slots := page.Load()
	if slots == nil {
		page.CompareAndSwap(nil, new([pageSize]slot))
		slots = page.Load()
	}
	return &slots[i%pageSize]
}

// opened notes the slot of a request that has not ended.
func (g *Ring) opened(id string, s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[id] = s
	g.openings.Store(int64(len(g.open)))
}

// ended removes the record that a request left while it was open.
func (g *Ring) ended(id string) {
	g.mu.Lock()
	s := g.open[id]
	delete(g.open, id)
	g.openings.Store(int64(len(g.open)))
	g.mu.Unlock()
	if s != nil {
		s.clear(id)
	}
}

// forget drops the note of an open request whose record was overwritten.
func (g *Ring) forget(id string, s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[id] == s {
		delete(g.open, id)
		g.openings.Store(int64(len(g.open)))
	}
}
