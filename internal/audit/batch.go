package audit

import (
	"sync"
	"time"
)

const (
	// batchDelay is how long a line may wait for others.
	batchDelay = 10 * time.Millisecond
	// maxBatch is how many may wait. Who comes then waits too.
	maxBatch = 4096
)

// batch writes records together, a moment after they were made: one after the other
// they cost less than each between two requests, when the processor has forgotten
// how. None is lost but by a process that is killed.
type batch struct {
	write func(*Record)

	mu      sync.Mutex
	room    sync.Cond
	waiting []*Record
	closed  bool

	first chan struct{} // holds something when there is a record to wait for others with
	stop  chan struct{}
	done  chan struct{}
}

func newBatch(write func(*Record)) *batch {
	b := &batch{write: write, first: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	b.room.L = &b.mu
	go b.work()
	return b
}

// put hands over a record. After close it is written at once.
func (b *batch) put(r *Record) {
	b.mu.Lock()
	for len(b.waiting) >= maxBatch && !b.closed {
		b.room.Wait()
	}
	if b.closed {
		b.mu.Unlock()
		b.write(r)
		return
	}
	b.waiting = append(b.waiting, r)
	wake := len(b.waiting) == 1
	b.mu.Unlock()
	if wake {
		b.first <- struct{}{} // there is room: it was taken before the batch was
	}
}

func (b *batch) work() {
	defer close(b.done)
	timer := time.NewTimer(batchDelay)
	timer.Stop()
	var records []*Record
	for {
		select {
		case <-b.first:
			timer.Reset(batchDelay)
			select {
			case <-timer.C:
			case <-b.stop:
			}
		case <-b.stop:
		}
		records = b.take(records[:0])
		for i, r := range records {
			b.write(r)
			records[i] = nil
		}
		if len(records) == 0 {
			return // closed, and nothing left
		}
	}
}

// take exchanges what waits for an empty slice.
func (b *batch) take(empty []*Record) []*Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.waiting
	b.waiting = empty
	b.room.Broadcast()
	return taken
}

// close writes what waits.
func (b *batch) close() {
	b.mu.Lock()
	b.closed = true
	b.room.Broadcast()
	b.mu.Unlock()
	close(b.stop)
	<-b.done
}
