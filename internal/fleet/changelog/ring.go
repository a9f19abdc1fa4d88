package changelog

import (
	"slices"
	"sync"

	"github.com/scopegate/scopegate/internal/fleet"
)

// ringSize is how many entries can be caught up on. At a change a second it is an hour's.
const ringSize = 4096

// ring holds the last entries of one log.
type ring struct {
	mu      sync.Mutex
	epoch   string
	floor   fleet.Generation // of the last entry that it no longer has
	last    fleet.Generation
	entries []fleet.Entry
	// asides are changes without a place, the last of which has the number said.
	asides  []fleet.Change
	said    uint64
	changed chan struct{} // closed at the next entry or epoch
}

func newRing(epoch string, begin fleet.Generation) *ring {
	return &ring{epoch: epoch, floor: begin, last: begin, changed: make(chan struct{})}
}

func (r *ring) add(entries ...fleet.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
	r.last = entries[len(entries)-1].Generation
	// Readers share what was handed out, so it is never written again: it is copied from time
	// to time instead of moved.
	if len(r.entries) >= 2*ringSize {
		cut := len(r.entries) - ringSize
		r.floor = r.entries[cut-1].Generation
		r.entries = slices.Clone(r.entries[cut:])
	}
	r.tell()
}

// reset begins another log, or the same one anew where entries are missing.
func (r *ring) reset(epoch string, at fleet.Generation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch, r.floor, r.last, r.entries = epoch, at, at, nil
	r.tell()
}

// maxAsides bounds the changes without a place that can be caught up on.
const maxAsides = 1000

// aside tells readers of changes that have no place in the log yet.
func (r *ring) aside(changes []fleet.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asides = append(r.asides, changes...)
	r.said += uint64(len(changes))
	if over := len(r.asides) - maxAsides; over > 0 {
		r.asides = slices.Clone(r.asides[over:])
	}
	r.tell()
}

// Asides returns changes that cannot be written to the log now, of which this gateway's own
// readers hear at once: those after a number, and the number of the last. Each of them has its
// place in the log later.
func (r *ring) Asides(after uint64) (changes []fleet.Change, last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.said-min(after, r.said), uint64(len(r.asides)))
	return slices.Clone(r.asides[uint64(len(r.asides))-n:]), r.said
}

func (r *ring) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *ring) position() (epoch string, last fleet.Generation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch, r.last
}

// since returns the entries after a generation. It is false if the log is another one, or
// does not reach back that far, or not yet that far.
func (r *ring) since(epoch string, after fleet.Generation) ([]fleet.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch != r.epoch || after < r.floor || after > r.last {
		return nil, false
	}
	from, found := slices.BinarySearchFunc(r.entries, after, func(e fleet.Entry, g fleet.Generation) int {
		switch {
		case e.Generation < g:
			return -1
		case e.Generation > g:
			return 1
		}
		return 0
	})
	if found {
		from++
	}
	return r.entries[from:len(r.entries):len(r.entries)], true
}

func (r *ring) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}
