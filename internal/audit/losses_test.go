package audit

import (
	"io/fs"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/metrics"
)

// told is what an observer and a counter of losses were told.
type told struct {
	mu     sync.Mutex
	events []string
	why    []string
	lost   map[string]int
	length func() int
}

func (o *told) AuditDropped(sink string, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = make(map[string]int)
	}
	o.lost[sink] += n
}

// dropped returns how many records a sink lost.
func (o *told) dropped(sink string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost[sink]
}

// AuditQueue keeps the queue of the last sink.
func (o *told) AuditQueue(_ string, length func() int) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.length = length
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.length = nil
	}
}

// waiting returns how many records wait in the sink, or -1 if it was closed.
func (o *told) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.length == nil {
		return -1
	}
	return o.length()
}

func (o *told) HoldingRecords(sink, cause, detail string) {
	o.note("holding " + sink + " " + cause)
	o.explain(detail)
}

func (o *told) LosingRecords(sink, cause, detail string) {
	o.note("losing " + sink + " " + cause)
	o.explain(detail)
}

func (o *told) explain(detail string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.why = append(o.why, detail)
}

func (o *told) KeepingRecords(sink string, _ int64) { o.note("keeping " + sink) }

func (o *told) note(event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, event)
}

func (o *told) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events)
}

// details returns what the observer was told besides the causes.
func (o *told) details() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.why)
}

// lossesOf returns the losses of a sink that are told to o.
func lossesOf(sink string, o *told) *Losses { return NewLosses(sink, o, o) }

func TestLossesAreReportedOnce(t *testing.T) {
	t.Parallel()
	observer := new(told)
	l := lossesOf(SinkTraces, observer)
	now := time.Unix(1e9, 0)
	l.now = func() time.Time { return now }

	l.Kept()
	for range 100 {
		l.Lost(2, CauseFull, "")
		l.Kept() // the queue had room for another
		now = now.Add(calm / 2)
	}
	l.Lost(0, CauseFull, "")
	now = now.Add(calm)
	l.Kept()
	l.Kept()
	l.Lost(1, CauseExport, "")

	want := []string{"losing traces queue_full", "keeping traces", "losing traces export_failed"}
	if got := observer.list(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if got := observer.dropped(SinkTraces); got != 201 {
		t.Errorf("counted %d, want 201", got)
	}
}

// TestRecoveryIsReported: a sink that works again is reported even if no further record
// comes, and not if it has failed in the meantime.
func TestRecoveryIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		observer := new(told)
		l := lossesOf(SinkOutput, observer)
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := observer.list(); !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		l.Held(CauseWrite, "")
		l.Held(CauseWrite, "")
		l.Kept()
		time.Sleep(calm / 2)
		l.Held(CauseWrite, "")
		time.Sleep(2 * calm)
		check("holding output write_failed")
		l.Lost(1, CauseFull, "")
		l.Held(CauseWrite, "")
		check("holding output write_failed", "losing output queue_full")
		l.Kept()
		time.Sleep(calm - time.Millisecond)
		check("holding output write_failed", "losing output queue_full")
		time.Sleep(time.Millisecond)
		check("holding output write_failed", "losing output queue_full", "keeping output")
		l.Held(CauseWrite, "")
		l.Kept()
		l.close()
		time.Sleep(2 * calm)
		check("holding output write_failed", "losing output queue_full", "keeping output", "holding output write_failed")
	})
}

// fullDisk cannot be written to, unless it has room.
type fullDisk struct {
	zapcore.WriteSyncer
	room bool
}

func (d *fullDisk) Write(line []byte) (int, error) {
	if d.room {
		return len(line), nil
	}
	return 0, &fs.PathError{Op: "write", Path: "/var/log/audit.log", Err: syscall.ENOSPC}
}

func TestUnwrittenLinesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		observer, disk := new(told), new(fullDisk)
		core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), disk, zap.InfoLevel)
		logger := NewLogger(zap.New(core), lossesOf(SinkLog, observer))
		for range 3 {
			logger.Write(typicalRecord())
		}
		time.Sleep(2 * calm)
		if got := observer.dropped(SinkLog); got != 3 {
			t.Errorf("counted %d, want 3", got)
		}
		if got := observer.list(); !slices.Equal(got, []string{"losing log write_failed"}) || !slices.Equal(observer.details(), []string{"no space left on device"}) {
			t.Errorf("told %q, %q", got, observer.details())
		}
		disk.room = true
		logger.Write(typicalRecord())
		if got := observer.list(); !slices.Equal(got, []string{"losing log write_failed", "keeping log"}) {
			t.Errorf("with room again, told %q", got)
		}
	})
}

// TestMetricsCountEverySink holds the names of the sinks equal to those that metrics
// counts.
func TestMetricsCountEverySink(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for _, sink := range []string{SinkLog, SinkOutput, SinkTraces, SinkLogs} {
		NewLosses(sink, m, new(told)).Lost(2, CauseFull, "")
	}
	got := counters(t, m)
	for _, sink := range []string{SinkLog, SinkOutput, SinkTraces, SinkLogs} {
		if n := got["scopegate_audit_dropped_total "+sink]; n != 2 {
			t.Errorf("%s: counted %g, want 2", sink, n)
		}
	}
}
