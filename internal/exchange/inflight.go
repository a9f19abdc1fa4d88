package exchange

import (
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// inFlight are the requests that passed and have not ended, in every configuration of
// the process.
var inFlight open

// open are requests that make a record when they last, and one at the end of the process.
// One timer serves them all: one for each request would cost more than the rest of this. They
// are a list, because a map would cost each request a place in it and the removal of that.
type open struct {
	mu    sync.Mutex
	first *exchange
	timer *time.Timer
	next  time.Time // when the timer fires; zero if it does not
}

// flight is the place of an exchange in the list of open ones, guarded by its lock.
type flight struct {
	before, after *exchange
	listed        bool
	due           time.Time // when it makes a record; zero once it has
}

// add makes a request leave a record after some time.
func (o *open) add(x *exchange, after time.Duration) {
	due := time.Now().Add(after)
	o.mu.Lock()
	defer o.mu.Unlock()
	x.flight = flight{after: o.first, listed: true, due: due}
	if o.first != nil {
		o.first.flight.before = x
	}
	o.first = x
	o.wake(due, after)
}

func (o *open) wake(due time.Time, after time.Duration) {
	if !o.next.IsZero() && !due.Before(o.next) {
		return
	}
	o.next = due
	if o.timer == nil {
		o.timer = time.AfterFunc(after, o.sweep)
		return
	}
	o.timer.Reset(after)
}

func (o *open) remove(x *exchange) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := x.flight
	if !f.listed {
		return // it did not pass, or no record is kept
	}
	x.flight = flight{}
	if f.after != nil {
		f.after.flight.before = f.before
	}
	if f.before != nil {
		f.before.flight.after = f.after
	} else {
		o.first = f.after
	}
}

// sweep makes the records that are due.
func (o *open) sweep() {
	now := time.Now()
	var due []*exchange
	var next time.Time
	o.mu.Lock()
	for x := o.first; x != nil; x = x.flight.after {
		switch at := x.flight.due; {
		case at.IsZero():
		case !at.After(now):
			x.flight.due = time.Time{}
			due = append(due, x)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	o.next = time.Time{}
	if !next.IsZero() {
		o.wake(next, next.Sub(now))
	}
	o.mu.Unlock()
	for _, x := range due {
		go x.open() // a full queue makes it wait
	}
}

// CloseAll emits the last record of every request that has not ended, for the end of
// the process.
func CloseAll() {
	inFlight.mu.Lock()
	var all []*exchange
	for x := inFlight.first; x != nil; x = x.flight.after {
		all = append(all, x)
	}
	inFlight.mu.Unlock()
	var closing sync.WaitGroup
	for _, x := range all {
		closing.Go(func() { x.close(audit.Aborted) }) // a full queue makes it wait
	}
	closing.Wait()
}
