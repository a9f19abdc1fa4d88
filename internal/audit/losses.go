package audit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Names of the sinks, which are the values of the label sink.
const (
	SinkLog    = "log"    // lines of the audit logger
	SinkOutput = "output" // lines of an output of their own
	SinkTraces = "traces" // OpenTelemetry spans
	SinkLogs   = "logs"   // OpenTelemetry log records
)

// Causes of losses, a closed set.
const (
	CauseFull     = "queue_full"
	CauseExport   = "export_failed"
	CauseRejected = "rejected" // by the collector, for good
	CauseShutdown = "shutdown"
	CauseWrite    = "write_failed"
)

// LossObserver is told when a sink begins to lose records and when it has stopped.
// It must not wait.
type LossObserver interface {
	// LosingRecords: detail says more in words of closed sets; it may be empty.
	LosingRecords(sink, cause, detail string)
	// KeepingRecords: lost is how many were lost meanwhile.
	KeepingRecords(sink string, lost int64)
}

// calm is how long no record may have been lost until the sink is said to lose
// none: what is full now and then is not told each time.
const calm = 10 * time.Second

// Losses counts the records that a sink lost. It is safe for concurrent use.
type Losses struct {
	sink     string
	observer LossObserver
	now      func() time.Time

	losing atomic.Bool
	mu     sync.Mutex
	lost   int64 // since the sink began to lose
	last   time.Time
}

// NewLosses returns the losses of a sink.
func NewLosses(sink string, observer LossObserver) *Losses {
	return &Losses{sink: sink, observer: observer, now: time.Now}
}

// Lost counts records that were lost, and says so if they are the first.
func (l *Losses) Lost(n int, cause, detail string) {
	if n <= 0 {
		return
	}
	metrics.AuditDropped(l.sink, n)
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

// Kept notes that records were kept, and says so if some were lost before and
// none for a while.
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
