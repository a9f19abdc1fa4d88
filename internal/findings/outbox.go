package findings

import "sync"

// Outbox hands changes to a receiver that may be slow, one after the other and in their order,
// and never makes the book wait. At most as many wait as a book may hold findings.
type Outbox struct {
	deliver func(Finding, Change)
	// lost is told how many were dropped because too many waited.
	lost func(n int)

	mu      sync.Mutex // guards the following
	waiting []changed
	running bool
	dropped int
}

// NewOutbox returns an outbox for a receiver.
func NewOutbox(deliver func(Finding, Change), lost func(n int)) *Outbox {
	return &Outbox{deliver: deliver, lost: lost}
}

// Observe is an [Observer].
func (o *Outbox) Observe(f Finding, change Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= maxFindings {
		o.dropped++
		return
	}
	o.waiting = append(o.waiting, changed{f, change})
	if !o.running {
		o.running = true
		go o.run()
	}
}

// run delivers until nothing waits.
func (o *Outbox) run() {
	for {
		o.mu.Lock()
		batch, dropped := o.waiting, o.dropped
		o.waiting, o.dropped = nil, 0
		if len(batch) == 0 && dropped == 0 {
			o.running = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		for i := range batch {
			o.deliver(batch[i].Finding, batch[i].change)
		}
		if dropped > 0 {
			o.lost(dropped)
		}
	}
}
