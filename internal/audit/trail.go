package audit

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// trailDelay is how long a line may wait for others.
	trailDelay = 10 * time.Millisecond
	// maxTrail is how many records may wait. Who comes then waits too.
	maxTrail = 4096
	// maxWrite is after how many bytes of lines they are written.
	maxWrite = 64 << 10
)

// Trail writes records to an output of its own, one line of JSON each, a moment
// after they were made and many together: one after the other they cost a third of
// what each does between two requests, when the processor has forgotten how. None
// is lost but by a process that is killed, or an output that does not take it.
type Trail struct {
	output io.WriteCloser
	losses *Losses

	mu      sync.Mutex
	room    sync.Cond
	waiting []*Record
	closed  bool

	first chan struct{} // holds something when there is a record to wait for others with
	stop  chan struct{}
	done  chan struct{}

	// Of the goroutine that writes, and after it of whoever comes too late.
	writing sync.Mutex
	lines   []byte
	torn    bool // the output ends in the middle of a line
}

// NewTrail returns a trail that counts what its output does not take. Close it.
func NewTrail(output io.WriteCloser, losses *Losses) *Trail {
	t := &Trail{output: output, losses: losses, first: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	t.room.L = &t.mu
	go t.work()
	return t
}

// Write hands over a record. It waits while the output cannot keep up. After Close
// it writes at once, as far as the output still takes it. A nil trail writes
// nothing.
func (t *Trail) Write(r *Record) {
	if t == nil {
		return
	}
	t.mu.Lock()
	for len(t.waiting) >= maxTrail && !t.closed {
		t.room.Wait()
	}
	if t.closed {
		t.mu.Unlock()
		t.write([]*Record{r})
		return
	}
	t.waiting = append(t.waiting, r)
	wake := len(t.waiting) == 1
	t.mu.Unlock()
	if wake {
		t.first <- struct{}{} // there is room: it was taken before the records were
	}
}

func (t *Trail) work() {
	defer close(t.done)
	timer := time.NewTimer(trailDelay)
	timer.Stop()
	var records []*Record
	for {
		select {
		case <-t.first:
			timer.Reset(trailDelay)
			select {
			case <-timer.C:
			case <-t.stop:
			}
		case <-t.stop:
		}
		records = t.take(records[:0])
		t.write(records)
		if len(records) == 0 {
			return // closed, and nothing left
		}
		clear(records)
	}
}

// take exchanges what waits for an empty slice.
func (t *Trail) take(empty []*Record) []*Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.waiting
	t.waiting = empty
	t.room.Broadcast()
	return taken
}

func (t *Trail) write(records []*Record) {
	t.writing.Lock()
	defer t.writing.Unlock()
	lines, count := t.lines[:0], 0
	for i, r := range records {
		if count++; len(lines) == 0 && t.torn {
			lines = append(lines, '\n')
		}
		if lines = appendLine(lines, r); len(lines) < maxWrite && i < len(records)-1 {
			continue
		}
		t.pass(lines, count)
		lines, count = lines[:0], 0
	}
	t.lines = lines
}

// pass writes some lines to the output. What it does not take is lost: trying again
// would keep requests waiting.
func (t *Trail) pass(lines []byte, count int) {
	n, err := t.output.Write(lines)
	if err == nil {
		t.torn = false
		t.losses.Kept()
		return
	}
	taken := lines[:min(max(n, 0), len(lines))]
	if len(taken) > 0 {
		if t.torn {
			taken = taken[1:] // that ended the line before
		}
		count -= bytes.Count(taken, []byte{'\n'})
		t.torn = len(taken) > 0 && taken[len(taken)-1] != '\n'
	}
	t.losses.Lost(count, CauseWrite, "")
}

// errHangs is why a trail could not be closed.
var errHangs = errors.New("the output of the audit does not take lines; the last ones are lost")

// Close writes what waits, and closes the output. One that hangs is given two
// seconds, and what waits for it then is counted as lost.
func (t *Trail) Close() error {
	t.mu.Lock()
	t.closed = true
	t.room.Broadcast()
	t.mu.Unlock()
	close(t.stop)
	patience := time.NewTimer(closeTime)
	defer patience.Stop()
	select {
	case <-t.done:
		return t.output.Close()
	case <-patience.C:
	}
	t.losses.Lost(len(t.take(nil)), CauseShutdown, "")
	go func() { // when it does after all
		<-t.done
		_ = t.output.Close()
	}()
	return errHangs
}
