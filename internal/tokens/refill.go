package tokens

import (
	"sync"
	"time"
)

// refillPause is the least time between two refills. What is forgotten in between is
// looked up one by one until the pause ends.
const refillPause = 5 * time.Second

// refilling is the state of the refill after [Resolver.ForgetAll]. A workspace's tokens
// come back by one list instead of one look-up each, which at the usual rate would keep
// the clients of a busy workspace waiting for minutes.
type refilling struct {
	mu      sync.Mutex
	running bool
	again   bool          // everything was forgotten since the list was asked for
	ended   chan struct{} // closed at the end of the list; nil while none is running
}

// refill asks for the list of all tokens in the background, if more tokens were known than
// can be looked up in a second.
func (r *Resolver) refill() {
	if float64(r.cache.len()) <= r.limits.perSecond() {
		return
	}
	f := &r.refills
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		f.again = true
		return
	}
	if !r.tasks.begin() {
		return
	}
	f.running = true
	f.ended = make(chan struct{})
	go r.refillUntilCurrent()
}

func (r *Resolver) refillUntilCurrent() {
	defer r.tasks.end()
	f := &r.refills
	pause := time.NewTimer(refillPause)
	defer pause.Stop()
	for {
		r.syncOnce(r.ctx)
		f.mu.Lock()
		close(f.ended)
		f.ended = nil
		f.mu.Unlock()
		select {
		case <-pause.C:
		case <-r.ctx.Done():
		}
		f.mu.Lock()
		if !f.again || r.ctx.Err() != nil {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.again = false
		f.ended = make(chan struct{})
		f.mu.Unlock()
		pause.Reset(refillPause)
	}
}

// awaitRefill waits for the list, if one is being asked for. It leaves time for a look-up.
func (r *Resolver) awaitRefill() {
	r.refills.mu.Lock()
	ended := r.refills.ended
	r.refills.mu.Unlock()
	if ended == nil {
		return
	}
	timer := time.NewTimer(time.Duration(r.timeout.Load()) / 2)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-r.ctx.Done():
	}
}
