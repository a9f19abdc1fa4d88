package audit

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// exporter sends records. It keeps a batch of them in the form in which it sends them.
// One goroutine uses it.
type exporter interface {
	// add adds a record to the batch.
	add(*Record)
	// export sends the batch. After a failure it may be called again, and sends what is
	// missing.
	export(context.Context) error
	// reset empties the batch, which was sent or given up.
	reset()
	shutdown(context.Context) error
}

// lateExporter can send a record after its sink was closed. It may be used by several
// goroutines.
type lateExporter interface {
	late(*Record) bool
}

const (
	// encodeAt is how many records are handed to the exporter at once, at least. They
	// wait for a full batch in encoded form, which the garbage collector need not scan.
	encodeAt = 64

	// flushTime is how long a sink may still send when it is closed, giveUpTime when it
	// stops waiting for an exporter that hangs, and closeTime how long closing takes at
	// most.
	flushTime  = 1600 * time.Millisecond
	giveUpTime = 1800 * time.Millisecond
	closeTime  = 2 * time.Second

	// Time between attempts to send what must not be lost.
	minBackoff, maxBackoff = 500 * time.Millisecond, 15 * time.Second
	maxFileBackoff         = time.Second // an attempt to write a file costs nobody else anything
	closingBackoff         = 100 * time.Millisecond
)

// sink is a queue with its exporter. It sends records in batches, from a goroutine of
// its own: a request only pays for putting its record into the queue.
type sink struct {
	queue    *queue
	batch    int
	exporter exporter
	losses   *Losses
	settings Settings
	pace     pace
	spans    bool // the exporter sends spans

	ctx     context.Context // ends when nothing may be sent any more
	stop    context.CancelFunc
	closes  atomic.Bool   // close was called
	closing chan struct{} // is closed when that begins
	closed  chan struct{} // and when it has ended
	done    chan struct{} // and when work has ended

	// uncounted takes the queue out of the metrics.
	uncounted func()

	// trouble is why the last batch could not be sent; nil if it was.
	trouble atomic.Pointer[string]
	// stuck is set if a request has waited for room without success, and no batch was
	// finished since.
	stuck atomic.Bool
}

// pace is how often batches are sent, and how long exports and requests may take.
type pace struct {
	// delay is how long a record may wait for others: from one batch to the next, or
	// with fromFirst, from the first record of the batch.
	delay     time.Duration
	fromFirst bool
	// export is how long one export may take, and backoff is the longest time between
	// attempts.
	export, backoff time.Duration
	// patience is how long a request waits for room with Drop, unless the sink is
	// stuck. 0 is for exporters that end when their time is over; others are taken to
	// fail when an export takes longer.
	patience time.Duration
	// strict refuses reservations from the first failure on, not only without room.
	strict bool
}

func newSink(exporter exporter, losses *Losses, settings Settings, batch int, pace pace) *sink {
	wakeAt := encodeAt
	if pace.fromFirst {
		wakeAt = 1
	}
	s := &sink{
		queue:    newQueue(settings.Queue, batch, wakeAt),
		batch:    min(batch, settings.Queue),
		exporter: exporter,
		losses:   losses,
		settings: settings,
		pace:     pace,
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.uncounted = losses.counter.AuditQueue(losses.sink, s.queue.length)
	go s.work()
	return s
}

// reserves reports whether requests need a reservation.
func (s *sink) reserves() bool { return s.settings.WhenFull == Refuse }

func (s *sink) reserve() bool {
	return !(s.pace.strict && s.trouble.Load() != nil) && s.queue.reserve()
}

func (s *sink) cancel() { s.queue.cancel() }

// put hands over a record, which must not be changed afterwards.
func (s *sink) put(r *Record, reserved bool) {
	patience := s.pace.patience
	switch {
	case s.settings.WhenFull == Block:
		patience = s.settings.BlockFor
	case s.settings.WhenFull == Refuse, s.stuck.Load():
		patience = 0 // requests that pass have a reservation
	}
	cause := s.queue.put(r, reserved, patience)
	if cause == "" || cause == CauseShutdown && s.late(r) {
		return
	}
	if cause == CauseFull {
		s.stuck.Store(true)
	}
	var detail string
	if trouble := s.trouble.Load(); trouble != nil {
		detail = *trouble
	}
	s.losses.Lost(1, cause, detail)
}

// late sends a record that came after the sink was closed, if the exporter can.
func (s *sink) late(r *Record) bool {
	exporter, ok := s.exporter.(lateExporter)
	return ok && exporter.late(r)
}

func (s *sink) work() {
	defer close(s.done)
	var tick <-chan time.Time
	if !s.pace.fromFirst {
		ticker := time.NewTicker(s.pace.delay)
		defer ticker.Stop()
		tick = ticker.C
	}
	gathering := time.NewTimer(s.pace.delay)
	gathering.Stop()
	records := make([]*Record, 0, s.batch)
	added := 0 // to the exporter's batch
	for {
		wholeOnly := false // a batch that is not full waits
		select {
		case <-tick:
		case <-s.queue.due:
			wholeOnly = !s.pace.fromFirst && !s.queue.wasPressed()
			if s.pace.fromFirst {
				gathering.Reset(s.pace.delay)
				select {
				case <-gathering.C:
				case <-s.queue.due: // a batch is full
				case <-s.closing:
				}
			}
		}
		closed := s.queue.isClosed() // before the last look, so that no record comes after it
		for {
			records = s.queue.next(records[:0], s.batch-added)
			for _, r := range records {
				s.exporter.add(r)
			}
			added += len(records)
			none := len(records) == 0
			clear(records)
			if added == s.batch || none && added > 0 && (closed || !wholeOnly) {
				s.send(added)
				s.exporter.reset()
				added = 0
			}
			if none {
				break
			}
		}
		if closed {
			return
		}
	}
}

// send sends a batch of so many records, repeatedly if it must not be lost.
func (s *sink) send(records int) {
	backoff := minBackoff
	for {
		err := s.export()
		rejected, partly := rejectedItems(err)
		if err == nil || partly {
			s.trouble.Store(nil)
			s.settle(min(rejected, records), CauseRejected, "")
			return
		}
		lost, cause := records, CauseExport
		if lines, ok := errors.AsType[*writeError](err); ok {
			lost, cause = lines.count, CauseWrite
		}
		if s.ctx.Err() != nil {
			s.settle(lost, CauseShutdown, "")
			return
		}
		trouble := failureOf(err)
		s.trouble.Store(&trouble)
		if s.settings.WhenFull == Drop {
			s.settle(lost, cause, trouble)
			return
		}
		s.losses.Held(cause, trouble)
		s.pause(backoff)
		backoff = min(2*backoff, cmp.Or(s.pace.backoff, maxBackoff))
	}
}

// export makes one attempt to send a batch. One that takes very long has failed so far,
// although it may still succeed.
func (s *sink) export() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.pace.export)
	defer cancel()
	if s.pace.patience == 0 {
		return s.exporter.export(ctx)
	}
	told := make(chan struct{})
	slow := time.AfterFunc(s.pace.patience, func() {
		defer close(told)
		trouble := failureOf(context.DeadlineExceeded)
		s.trouble.Store(&trouble)
		s.losses.Held(CauseWrite, trouble)
	})
	err := s.exporter.export(ctx)
	if !slow.Stop() {
		<-told
	}
	return err
}

// settle finishes a batch, of which some records may be lost.
func (s *sink) settle(lost int, cause, detail string) {
	abandoned := !s.queue.sent()
	s.stuck.Store(false)
	if abandoned {
		return // counted already
	}
	if lost == 0 {
		s.losses.Kept()
		return
	}
	s.losses.Lost(lost, cause, detail)
}

// pause waits before the next attempt. Half of the wait is random, so that many
// gateways do not come back to a collector at the same moment.
func (s *sink) pause(backoff time.Duration) {
	closing := s.closing
	select {
	case <-closing:
		backoff, closing = closingBackoff, nil
	default:
	}
	timer := time.NewTimer(backoff/2 + rand.N(backoff/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closing: // try again at once
	case <-s.ctx.Done():
	}
}

// close sends what is queued, for at most closeTime, and counts the rest as lost. Later
// calls wait for the first.
func (s *sink) close() {
	if s.closes.Swap(true) {
		<-s.closed
		return
	}
	defer close(s.closed)
	flush := time.AfterFunc(flushTime, s.stop)
	defer flush.Stop()
	giveUp := time.NewTimer(giveUpTime)
	defer giveUp.Stop()
	close(s.closing)
	s.queue.close()
	select {
	case <-s.done:
	case <-giveUp.C:
		s.losses.Lost(s.queue.abandon(), CauseShutdown, "")
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime-giveUpTime)
	defer cancel()
	_ = s.exporter.shutdown(ctx) // what it failed to send is counted already
	s.stop()
	s.uncounted()
	s.losses.close()
}
