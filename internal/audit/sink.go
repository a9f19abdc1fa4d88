package audit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// carrier takes records to where OpenTelemetry's variables say, as items of its
// own form. One goroutine uses it.
type carrier[T any] interface {
	convert(*Record) T
	export(context.Context, []T) error
	reuse() // of what was converted, which has been sent or given up
	shutdown(context.Context) error
}

// encoded stands for an item that a carrier keeps among the others.
type encoded struct{}

const (
	// convertAt is how many records are converted at once, at least: they wait for a
	// full batch in the form in which they are sent, of which the garbage collector
	// has less to look at.
	convertAt = 64

	// flushTime is how long records may still be sent when a sink is closed,
	// giveUpTime when what hangs nevertheless is left behind, and closeTime how long
	// closing takes at most.
	flushTime  = 1600 * time.Millisecond
	giveUpTime = 1800 * time.Millisecond
	closeTime  = 2 * time.Second

	// Between tries to send what must not be lost.
	minBackoff, maxBackoff = 500 * time.Millisecond, 15 * time.Second
	closingBackoff         = 100 * time.Millisecond
)

// sink sends records in batches, from a queue and by a goroutine of its own: a
// request pays for putting a record into the queue, and for nothing else.
type sink[T any] struct {
	queue    *queue
	batch    int
	carrier  carrier[T]
	losses   *Losses
	settings Settings
	pace     pace

	ctx     context.Context // ends when nothing may be sent any more
	stop    context.CancelFunc
	closing chan struct{}
	done    chan struct{}

	// trouble is why the last batch could not be sent; nil while they can.
	trouble atomic.Pointer[string]
	// stuck: a request has waited for room in vain, and none has come since.
	stuck atomic.Bool
}

// pace is how often batches are sent, and for how long who waits.
type pace struct {
	// delay is how long a record may wait for others: from one batch to the next, or
	// from the first record of each.
	delay     time.Duration
	fromFirst bool
	// export is how long sending may take.
	export time.Duration
	// patience is how long a request waits for room with Drop, unless the one before
	// has waited in vain.
	patience time.Duration
}

func newSink[T any](carrier carrier[T], losses *Losses, settings Settings, batch int, pace pace) *sink[T] {
	wakeAt := convertAt
	if pace.fromFirst {
		wakeAt = 1
	}
	s := &sink[T]{
		queue:    newQueue(settings.Queue, batch, wakeAt),
		batch:    min(batch, settings.Queue),
		carrier:  carrier,
		losses:   losses,
		settings: settings,
		pace:     pace,
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.work()
	return s
}

func (s *sink[T]) reserve() bool { return s.queue.reserve() }

func (s *sink[T]) cancel() { s.queue.cancel() }

// put hands over a record, which nobody may change afterwards.
func (s *sink[T]) put(r *Record, reserved bool) {
	patience := s.pace.patience
	switch {
	case s.settings.WhenFull == Block:
		patience = s.settings.BlockFor
	case s.settings.WhenFull == Refuse, s.stuck.Load():
		patience = 0 // who was promised a place has one
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

// late hands a record that came after the end to a carrier that can take it.
func (s *sink[T]) late(r *Record) bool {
	carrier, ok := s.carrier.(interface{ late(*Record) bool })
	return ok && carrier.late(r)
}

func (s *sink[T]) work() {
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
	items := make([]T, 0, s.batch)
	for {
		full := false // whether a batch that is not is left to wait
		select {
		case <-tick:
		case <-s.queue.due:
			full = !s.pace.fromFirst && !s.queue.wasPressed()
			if s.pace.fromFirst {
				gathering.Reset(s.pace.delay)
				select {
				case <-gathering.C:
				case <-s.queue.due: // there is much
				case <-s.closing:
				}
			}
		}
		closed := s.queue.isClosed() // before the last look, so that nothing comes after it
		for {
			records = s.queue.next(records[:0], s.batch-len(items))
			for _, r := range records {
				items = append(items, s.carrier.convert(r))
			}
			none := len(records) == 0
			clear(records)
			if len(items) == s.batch || none && len(items) > 0 && (closed || !full) {
				s.send(items)
				s.carrier.reuse()
				clear(items)
				items = items[:0]
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

// send sends a batch, again and again where it must not be lost.
func (s *sink[T]) send(items []T) {
	backoff := minBackoff
	for {
		ctx, cancel := context.WithTimeout(s.ctx, s.pace.export)
		err := s.carrier.export(ctx, items)
		cancel()
		rejected, partly := rejectedItems(err)
		if err == nil || partly {
			s.trouble.Store(nil)
			s.settle(min(rejected, len(items)), CauseRejected, "")
			return
		}
		lost, cause := len(items), CauseExport
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
		s.pause(backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

// settle ends the sending of a batch of which some records are lost.
func (s *sink[T]) settle(lost int, cause, detail string) {
	given := !s.queue.sent()
	s.stuck.Store(false)
	if given {
		return // counted when it was given up
	}
	if lost == 0 {
		s.losses.Kept()
		return
	}
	s.losses.Lost(lost, cause, detail)
}

// pause waits before the next try. A part of it is chance, so that many gateways do
// not come back to a collector in step.
func (s *sink[T]) pause(backoff time.Duration) {
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
	case <-closing: // not a moment to lose
	case <-s.ctx.Done():
	}
}

// close sends what waits, for at most closeTime, and counts the rest as lost.
func (s *sink[T]) close() {
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
	// Its error says nothing that was not counted.
	_ = s.carrier.shutdown(ctx)
	s.stop()
}
