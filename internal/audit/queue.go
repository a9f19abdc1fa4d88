package audit

import (
	"sync"
	"time"
)

// queue holds the records that wait to be sent, a bounded number. Room is taken by
// records that wait, by those being sent, and by reservations of requests in progress.
// It is safe for concurrent use.
//
// It is not a channel, because every record would wake a reader that waits for a
// channel. This reader is woken once for many records.
type queue struct {
	size   int
	batch  int           // this many records, waiting or being sent, wake the reader
	wakeAt int           // so does the record with which this many wait
	due    chan struct{} // holds an item if there is something to read, or the queue was closed

	mu        sync.Mutex
	ring      []*Record
	head      int // of the records that wait
	waiting   int
	sending   int
	taken     int // room
	closed    bool
	pressed   bool // a request found no room
	abandoned bool
	freed     chan struct{} // closed when there is room again; nil if no request waits
}

func newQueue(size, batch, wakeAt int) *queue {
	return &queue{size: size, batch: min(batch, size), wakeAt: wakeAt, due: make(chan struct{}, 1), ring: make([]*Record, size)}
}

// reserve takes room for a record to come.
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

// press wakes the reader to send what there is, even if it is less than a batch. The
// caller holds mu.
func (q *queue) press() {
	if !q.closed && q.waiting+q.sending > 0 {
		q.pressed = true
		q.wake()
	}
}

// wasPressed reports whether a request found no room since the last call.
func (q *queue) wasPressed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	pressed := q.pressed
	q.pressed = false
	return pressed
}

// cancel gives up a reservation.
func (q *queue) cancel() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(1)
}

// put adds a record, into reserved room or room that it takes now. It waits for room
// no longer than patience. It returns why there was none, or an empty string.
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

// take takes room. The caller holds mu, which is released during the wait.
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

// free gives room back. The caller holds mu.
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
	default: // the reader was woken already
	}
}

// next moves records from those that wait to those being sent, at most limit of them.
func (q *queue) next(to []*Record, limit int) []*Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(q.waiting, limit)
	for range n {
		to = append(to, q.ring[q.head])
		q.ring[q.head] = nil
		q.head = (q.head + 1) % q.size
	}
	q.waiting -= n
	q.sending += n
	return to
}

// sent frees the room of all records being sent. It returns false if they were
// abandoned in the meantime.
func (q *queue) sent() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(q.sending)
	q.sending = 0
	return !q.abandoned
}

// close stops the queue from taking records.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.free(0)
	q.wake()
}

// length returns how many records wait or are being sent.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting + q.sending
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
