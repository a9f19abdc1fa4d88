package audit

import (
	"sync"
	"time"
)

// queue holds the records that wait to be sent, a bounded number. Its places are
// taken by records that wait or are being sent, and by requests under way whose
// record has been promised one. It is safe for concurrent use.
//
// It is not a channel, because a reader that waits for a channel is woken by every
// record: here it is woken once for many.
type queue struct {
	size   int
	batch  int           // so many records that wait or are being sent wake the reader
	wakeAt int           // or the one with which so many wait
	due    chan struct{} // holds something when there is something to read, or the queue was closed

	mu        sync.Mutex
	ring      []*Record
	head      int // of the records that wait
	waiting   int
	sending   int
	taken     int // places
	closed    bool
	pressed   bool // somebody found no place
	abandoned bool
	freed     chan struct{} // closed when places come free; nil while nobody waits for one
}

func newQueue(size, batch, wakeAt int) *queue {
	return &queue{size: size, batch: min(batch, size), wakeAt: wakeAt, due: make(chan struct{}, 1), ring: make([]*Record, size)}
}

// reserve takes a place for a record to come.
func (q *queue) reserve() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.taken >= q.size {
		q.press()
		return false
	}
	q.taken++
	return true
}

// press wakes the reader for what there is, full batch or not. It is called with mu
// held.
func (q *queue) press() {
	if !q.closed && q.waiting+q.sending > 0 {
		q.pressed = true
		q.wake()
	}
}

// wasPressed reports whether somebody found no place since the last time.
func (q *queue) wasPressed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	pressed := q.pressed
	q.pressed = false
	return pressed
}

// cancel gives a reserved place back.
func (q *queue) cancel() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(1)
}

// put adds a record, in a reserved place or one that it takes now, for which it
// waits. It returns why there was none, or an empty string.
func (q *queue) put(r *Record, reserved bool, patience time.Duration) (cause string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !reserved && !q.take(patience) {
		if q.closed {
			return CauseShutdown
		}
		return CauseFull
	}
	if q.closed {
		q.free(1)
		return CauseShutdown
	}
	q.ring[(q.head+q.waiting)%q.size] = r
	q.waiting++
	if q.waiting == q.wakeAt || q.waiting+q.sending >= q.batch {
		q.wake()
	}
	return ""
}

// take takes a place. It is called with mu held, and lets go of it while it waits.
func (q *queue) take(patience time.Duration) bool {
	if q.taken >= q.size && !q.closed {
		q.press()
		if patience > 0 {
			q.await(patience)
		}
	}
	if q.closed || q.taken >= q.size {
		return false
	}
	q.taken++
	return true
}

func (q *queue) await(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for q.taken >= q.size && !q.closed {
		if q.freed == nil {
			q.freed = make(chan struct{})
		}
		freed := q.freed
		q.mu.Unlock()
		select {
		case <-freed:
			q.mu.Lock()
		case <-timer.C:
			q.mu.Lock()
			return
		}
	}
}

// free gives places back. It is called with mu held.
func (q *queue) free(n int) {
	q.taken -= n
	if q.freed != nil {
		close(q.freed)
		q.freed = nil
	}
}

func (q *queue) wake() {
	select {
	case q.due <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// next moves so many at most from those that wait to those being sent.
func (q *queue) next(to []*Record, most int) []*Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(q.waiting, most)
	for range n {
		to = append(to, q.ring[q.head])
		q.ring[q.head] = nil
		q.head = (q.head + 1) % q.size
	}
	q.waiting -= n
	q.sending += n
	return to
}

// sent ends what next began since the last time. It returns false if what was being
// sent has been given up meanwhile.
func (q *queue) sent() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(q.sending)
	q.sending = 0
	return !q.abandoned
}

// close lets no more records in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.free(0)
	q.wake()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// abandon gives up what was not sent, and returns how many records that are.
func (q *queue) abandon() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.abandoned = true
	lost := q.waiting + q.sending
	q.waiting = 0
	return lost
}
