package tokens

import (
	"sync"
	"time"
)

const (
	// refillPause is the least time between the starts of two refills. What is forgotten
	// in between is looked up one by one until the pause ends.
	refillPause = 5 * time.Second
	// refillRest is the least time between two refills if requests wait for the next.
	refillRest = 500 * time.Millisecond
)

// refilling is the state of the refill after [Resolver.ForgetAll]. A workspace's tokens
// come back by one list instead of one look-up each, which at the usual rate would keep
// the clients of a busy workspace waiting for minutes.
type refilling struct {
	mu      sync.Mutex
	running bool // listing, pausing, or about to list
	pausing bool
	again   bool          // a list is wanted that is not asked for yet
	since   uint64        // when the list in progress was asked for, on the clock of purges
	current chan struct{} // closed at the end of the list in progress; nil for none
	next    chan struct{} // closed at the end of the list after that; nil if nobody waits
	hurry   chan struct{} // closed when somebody waits, to cut the pause short
}

// refill asks for the list of all tokens in the background, if more tokens were known than
// can be looked up in a second.
func (r *Resolver) refill() {
	if r.listless.Load() || float64(r.cache.len()) <= r.limits.perSecond() {
		return
	}
	f := &r.refills
	f.mu.Lock()
	defer f.mu.Unlock()
	r.wantList()
}

// wantList makes the next list be asked for. The lock is held.
func (r *Resolver) wantList() {
	f := &r.refills
	f.again = true
	if f.running || !r.tasks.begin() {
		return
	}
	f.running = true
	go r.refillUntilCurrent()
}

func (r *Resolver) refillUntilCurrent() {
	defer r.tasks.end()
	for r.beginList() {
		pause := time.NewTimer(refillPause)
		began := time.Now()
		r.listOrFollow(r.ctx, r.refills.begun())
		// So that lists take at most half of the time.
		rest := time.NewTimer(max(refillRest, time.Since(began)))
		hurry := r.endList()
		select {
		case <-pause.C:
		case <-r.ctx.Done():
		case <-hurry:
			select {
			case <-rest.C:
			case <-r.ctx.Done():
			}
		}
		pause.Stop()
		rest.Stop()
	}
}

// beginList reports whether a list is wanted, and says that it begins.
func (r *Resolver) beginList() bool {
	f := &r.refills
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pausing = false
	if !f.again || r.ctx.Err() != nil {
		f.running = false
		if f.next != nil {
			close(f.next)
			f.next = nil
		}
		return false
	}
	f.again = false
	f.since = r.cache.since()
	f.current, f.next = f.next, nil
	if f.current == nil {
		f.current = make(chan struct{})
	}
	return true
}

// begun returns when the list in progress was begun, on the clock of purges.
func (f *refilling) begun() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

// endList says that a list has ended. It returns what is closed if the next is urgent.
func (r *Resolver) endList() (hurry <-chan struct{}) {
	f := &r.refills
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.current)
	f.current, f.pausing = nil, true
	f.hurry = make(chan struct{})
	if f.next != nil {
		close(f.hurry)
	}
	return f.hurry
}

// awaitList waits for a list that is asked for after a caller asked, if there is one in
// progress or about to begin, and otherwise, if it is wanted, for the next. It reports
// whether a list has ended.
func (r *Resolver) awaitList(req *lookupRequest, patience time.Duration, wanted bool) bool {
	ended := r.listEnd(req, wanted)
	return ended != nil && r.awaitEnd(ended, patience)
}

func (r *Resolver) awaitEnd(ended <-chan struct{}, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
	case <-r.ctx.Done():
	}
	return false
}

func (r *Resolver) listEnd(req *lookupRequest, wanted bool) <-chan struct{} {
	f := &r.refills
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil && (f.since >= req.since || wanted && f.since >= r.cache.forgotten.Load()) {
		return f.current // in the second case it yields facts that are young enough
	}
	if r.listless.Load() {
		return nil
	}
	if !wanted && (!f.running || f.pausing || f.current != nil) {
		return nil
	}
	if wanted {
		r.wantList()
		if !f.running {
			return nil // the resolver is closed
		}
	}
	if f.next == nil {
		f.next = make(chan struct{})
		if f.pausing {
			close(f.hurry)
		}
	}
	return f.next
}

// listedSince returns the facts that a list brought for a caller who waited for it.
func (r *Resolver) listedSince(req *lookupRequest) (fact, bool) {
	known, ok := r.cache.shard(&req.id).known.Peek(req.id)
	if !ok || !known.at.After(req.knownAt) {
		return fact{}, false
	}
	young := r.cache.current(&known) && r.now().Sub(known.at) < doubtGrace
	return known, known.since >= req.since || young
}
