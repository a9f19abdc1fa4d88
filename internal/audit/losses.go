package audit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Names of the sinks, which are the values of the metric's label sink.
const (
	SinkLog    = "log"    // lines of the audit logger
	SinkOutput = "output" // lines of an audit output
	SinkTraces = "traces" // OpenTelemetry spans
	SinkLogs   = "logs"   // OpenTelemetry log records
)

// Causes of losses (fixed list).
const (
	CauseFull     = "queue_full"
	CauseExport   = "export_failed"
	CauseRejected = "rejected" // by the collector, permanently
	CauseShutdown = "shutdown"
	CauseWrite    = "write_failed"
)

// Counter counts what sinks lose, and shows what waits in them. [metrics.Metrics] is one.
type Counter interface {
	AuditDropped(sink string, n int)
	// AuditQueue adds a queue to those of a sink. Length returns how many records wait
	// in it, and remove takes it away again.
	AuditQueue(sink string, length func() int) (remove func())
}

// LossObserver learns when a sink starts to fail or to lose records, and when that is
// over. It must not block. Causes and details come from fixed lists; a detail may be
// empty.
type LossObserver interface {
	// HoldingRecords says that a sink fails. Its records wait, and none was lost so far.
	HoldingRecords(sink, cause, detail string)
	// LosingRecords says that a sink started to lose records.
	LosingRecords(sink, cause, detail string)
	// KeepingRecords says that a sink works again, and how many records it lost.
	KeepingRecords(sink string, lost int64)
}

// calm is how long a sink must have worked before its observer hears of it. A queue that
// is full now and then is not reported every time.
const calm = 10 * time.Second

// Losses counts the records that one sink loses. It is safe for concurrent use.
type Losses struct {
	sink     string
	counter  Counter
	observer LossObserver
	now      func() time.Time

	state atomic.Int32
	mu    sync.Mutex
	lost  int64     // since the sink started to lose records
	last  time.Time // that it failed or lost one
	timed time.Time // the value of last for which a timer was started
	timer *time.Timer
}

// States of a sink.
const (
	keeping int32 = iota
	holding
	losing
)

// NewLosses returns the losses of a sink.
func NewLosses(sink string, counter Counter, observer LossObserver) *Losses {
	return &Losses{sink: sink, counter: counter, observer: observer, now: time.Now}
}

// Lost counts lost records. It tells the observer if they are the first.
func (l *Losses) Lost(n int, cause, detail string) {
	if n <= 0 {
		return
	}
	l.counter.AuditDropped(l.sink, n)
	if l.worse(losing, int64(n)) {
		l.observer.LosingRecords(l.sink, cause, detail)
	}
}

// Held notes that the sink failed, and that its records wait for another attempt. It
// tells the observer if it is the first time.
func (l *Losses) Held(cause, detail string) {
	if l.worse(holding, 0) {
		l.observer.HoldingRecords(l.sink, cause, detail)
	}
}

// worse notes a failure. It returns false if the state was at least as bad before.
func (l *Losses) worse(state int32, lost int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost += lost
	l.last = l.now()
	if l.state.Load() >= state {
		return false
	}
	l.state.Store(state)
	return true
}

// Kept notes that records were kept. It tells the observer once the sink has worked for
// long enough after a failure.
func (l *Losses) Kept() {
	if l.state.Load() == keeping {
		return
	}
	l.mu.Lock()
	since := l.last
	wait := calm - l.now().Sub(since)
	later := wait > 0 && l.timed != since
	if later { // the next record may be hours away
		l.timed = since
		l.timer = time.AfterFunc(wait, func() { l.recover(since) })
	}
	l.mu.Unlock()
	if wait <= 0 {
		l.recover(since)
	}
}

// close ends the wait for a sink to have worked for long enough.
func (l *Losses) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// recover tells the observer that the sink works again, unless it has failed since.
func (l *Losses) recover(since time.Time) {
	l.mu.Lock()
	if l.last != since || l.state.Load() == keeping {
		l.mu.Unlock()
		return
	}
	lost := l.lost
	l.lost = 0
	l.state.Store(keeping)
	l.mu.Unlock()
	l.observer.KeepingRecords(l.sink, lost)
}
