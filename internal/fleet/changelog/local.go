package changelog

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// Local is the log of a gateway that shares with no other one. It is safe for concurrent use.
type Local struct {
	*ring
	now   func() time.Time
	apply func(fleet.Change)

	mu   sync.Mutex // held while entries are numbered and applied, so that they are so in order
	last fleet.Generation
}

// NewLocal returns an empty log. Apply is called for every change before it is in the log.
func NewLocal(apply func(fleet.Change), now func() time.Time) *Local {
	l := &Local{now: now, apply: apply}
	l.last = l.next()
	l.ring = newRing(strings.ToLower(rand.Text()), l.last)
	return l
}

// Publish applies changes and adds them to the log. It returns the generation of the last
// one.
func (l *Local) Publish(changes ...fleet.Change) fleet.Generation { return l.log(changes, l.apply) }

// Note adds changes that are applied already.
func (l *Local) Note(changes ...fleet.Change) fleet.Generation {
	return l.log(changes, func(fleet.Change) {})
}

func (l *Local) log(changes []fleet.Change, apply func(fleet.Change)) fleet.Generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]fleet.Entry, len(changes))
	for i, change := range changes {
		apply(change)
		l.last = l.next()
		entries[i] = fleet.Entry{Generation: l.last, Change: change}
	}
	if len(entries) > 0 {
		l.add(entries...)
	}
	return l.last
}

// next returns a generation after the last one, even if the clock was set back.
func (l *Local) next() fleet.Generation {
	return max(fleet.NewGeneration(uint64(max(0, l.now().UnixMilli())), 0), l.last+1)
}

// Position returns the epoch, which is another one in every process, and the generation of the
// last entry.
func (l *Local) Position() (epoch string, last fleet.Generation) { return l.position() }

// Since returns the entries after a generation, in order. It is false if the log is another
// one, or does not reach back that far. The entries must not be changed.
func (l *Local) Since(epoch string, after fleet.Generation) ([]fleet.Entry, bool) {
	return l.since(epoch, after)
}

// Wait returns a channel that is closed when there is a new entry.
func (l *Local) Wait() <-chan struct{} { return l.wait() }
