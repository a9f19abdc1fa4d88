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

// LossCounter counts lost records by sink. [metrics.Metrics] is one.
type LossCounter interface {
	AuditDropped(sink string, n int)
}

// LossObserver is told when a sink starts to lose records and when it has stopped. It
// must not block.
type LossObserver interface {
	// LosingRecords says that a sink started to lose records. Detail comes from fixed
	// lists and may be empty.
	LosingRecords(sink, cause, detail string)
	// KeepingRecords says that a sink no longer loses records, and how many it lost.
	KeepingRecords(sink string, lost int64)
}

// calm is how long a sink must have lost nothing before its observer is told so. A
// queue that is full now and then is not reported every time.
const calm = 10 * time.Second

// Losses counts the records that one sink loses. It is safe for concurrent use.
type Losses struct {
	sink     string
	counter  LossCounter
	observer LossObserver
	now      func() time.Time

	losing atomic.Bool
	mu     sync.Mutex
	lost   int64 // since the sink started to lose records
	last   time.Time
}

// NewLosses returns the losses of a sink.
func NewLosses(sink string, counter LossCounter, observer LossObserver) *Losses {
	return &Losses{sink: sink, counter: counter, observer: observer, now: time.Now}
}

// Lost counts lost records. It tells the observer if they are the first.
func (l *Losses) Lost(n int, cause, detail string) {
	if n <= 0 {
		return
	}
	l.counter.AuditDropped(l.sink, n)
	l.mu.Lock()
	first := !l.losing.Load()
	l.losing.Store(true)
	l.lost += int64(n)
	l.last = l.now()
	l.mu.Unlock()
	if first {
		l.observer.LosingRecords(l.sink, cause, detail)
	}
}

// Kept notes that records were kept. It tells the observer if records were lost before
// and none recently.
func (l *Losses) Kept() {
	if !l.losing.Load() {
		return
	}
	l.mu.Lock()
	if !l.losing.Load() || l.now().Sub(l.last) < calm {
		l.mu.Unlock()
		return
	}
	lost := l.lost
	l.lost = 0
	l.losing.Store(false)
	l.mu.Unlock()
	l.observer.KeepingRecords(l.sink, lost)
}
