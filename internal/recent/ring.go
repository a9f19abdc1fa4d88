package recent

import (
	"iter"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// Size is what a gateway spends on the last decisions, in bytes.
const Size = 2 << 20

// Ring holds the records of the last decisions. A request leaves its record to be encoded, and
// one of many encodes those of all. Readers do so first. A nil *Ring holds nothing.
type Ring struct {
	now     func() time.Time
	waiting batch

	mu      sync.Mutex
	taken   []*audit.Record // reused for waiting
	entry   entry           // reused
	pages   []*page         // each holds the page of a number modulo their count; nil until it is needed
	last    uint64          // number of the page that is written
	next    uint64          // number of the next record
	minutes minutes
}

// New returns a ring for so many bytes, but at least two pages. The clock is for
// [Ring.Minutes].
func New(size int, now func() time.Time) *Ring {
	return &Ring{now: now, pages: make([]*page, max(2, size/pageMemory))}
}

// Put keeps a record, if need be in the place of the oldest ones. The record must not be changed
// afterwards. Brief records are not kept.
func (g *Ring) Put(r *audit.Record) {
	if g == nil || r.Brief {
		return
	}
	waiting := g.waiting.add(r)
	if len(r.Readings) > 0 || waiting >= mostWaiting { // paths of readings may be of any length
		g.mu.Lock()
	} else if waiting < together || !g.mu.TryLock() {
		return
	}
	defer g.mu.Unlock()
	g.encode()
}

// lock locks mu for a reader, who finds all that was put.
func (g *Ring) lock() {
	g.mu.Lock()
	g.encode()
}

// encode writes the records that wait. The caller holds mu.
func (g *Ring) encode() {
	g.taken = g.waiting.swap(g.taken[:0])
	for _, r := range g.taken {
		g.entry.encode(r)
		g.add(&g.entry)
		g.minutes.count(r)
	}
	clear(g.taken)
}

// add writes an entry. Any fits into an empty page.
func (g *Ring) add(e *entry) {
	p := g.page(g.last)
	if p == nil {
		p = g.begin(g.last)
	}
	if !p.add(e) {
		g.last++
		g.begin(g.last).add(e)
	}
	g.next++
}

// begin returns an empty page with a number, in the place of the oldest one.
func (g *Ring) begin(number uint64) *page {
	place := &g.pages[number%uint64(len(g.pages))]
	if *place == nil {
		*place = new(page)
	}
	(*place).clear(g.next)
	return *place
}

// page returns the page that has the place of a number.
func (g *Ring) page(number uint64) *page { return g.pages[number%uint64(len(g.pages))] }

// held is a page that was copied, so that no request waits for its reader, and one of its
// records.
type held struct {
	*page
	i int
}

// number returns the number of the record.
func (h held) number() uint64 { return h.first + uint64(h.i) }

// records visits all records that are held, the newest first. Those that are dropped
// meanwhile are left out. The copies are made in buf.
func (g *Ring) records(buf *page) iter.Seq[held] {
	return func(yield func(held) bool) {
		if g == nil {
			return
		}
		g.lock()
		number := g.last
		g.mu.Unlock()
		for range g.pages {
			if !g.copyPage(number, buf) {
				return
			}
			for i := buf.records - 1; i >= 0; i-- {
				if !yield(held{buf, i}) {
					return
				}
			}
			if number == 0 {
				return
			}
			number--
		}
	}
}

// copyPage copies a page. It is false if that is not held, or not any more.
func (g *Ring) copyPage(number uint64, to *page) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.page(number)
	if from == nil || g.last-number >= uint64(len(g.pages)) {
		return false
	}
	to.first, to.records, to.used = from.first, from.records, from.used
	copy(to.bytes[:from.used], from.bytes[:])
	offsets := pageSize - 2*from.records
	copy(to.bytes[offsets:], from.bytes[offsets:])
	return true
}
