package exchange

import (
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// inFlight are the requests that passed and have not ended, in every configuration of
// the process.
var inFlight = open{exchanges: make(map[*exchange]time.Time)}

// open are requests that make a record when they last, and one at the end of the process.
// One timer serves them all: one for each request would cost more than the rest of this.
type open struct {
	mu        sync.Mutex
	exchanges map[*exchange]time.Time // when each is due to make a record; zero once it has
	timer     *time.Timer
	next      time.Time // when the timer fires; zero if it does not
}

// add makes a request leave a record after some time.
func (o *open) add(x *exchange, after time.Duration) {
	due := time.Now().Add(after)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.exchanges[x] = due
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
	delete(o.exchanges, x)
}

// sweep makes the records that are due.
func (o *open) sweep() {
	now := time.Now()
	var due []*exchange
	var next time.Time
	o.mu.Lock()
	for x, at := range o.exchanges {
		switch {
		case at.IsZero():
		case !at.After(now):
			o.exchanges[x] = time.Time{}
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
	for x := range inFlight.exchanges {
		all = append(all, x)
	}
	inFlight.mu.Unlock()
	var closing sync.WaitGroup
	for _, x := range all {
		closing.Go(func() { x.close(audit.Aborted) }) // a full queue makes it wait
	}
	closing.Wait()
}
