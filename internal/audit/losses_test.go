package audit

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// told is what a LossObserver was told.
type told struct {
	mu     sync.Mutex
	events []string
	why    []string
}

func (o *told) LosingRecords(sink, cause, detail string) {
	o.note("losing " + sink + " " + cause)
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

// details are what the observer was told beside the causes.
func (o *told) details() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.why)
}

func testLosses(t testing.TB, sink string) *Losses {
	t.Helper()
	return NewLosses(sink, new(told))
}

// dropped returns what the metric counts for a sink.
func dropped(sink string) int { return int(testutil.ToFloat64(metrics.dropped.WithLabelValues(sink))) }

func TestLossesAreToldOnce(t *testing.T) {
	observer := new(told)
	l := NewLosses(SinkTraces, observer)
	now := time.Unix(1e9, 0)
	l.now = func() time.Time { return now }
	before := dropped(SinkTraces)

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
	if got := dropped(SinkTraces) - before; got != 201 {
		t.Errorf("counted %d, want 201", got)
	}
}

// fullDisk takes no line.
type fullDisk struct{ zapcore.WriteSyncer }

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestUnwrittenLinesAreCounted(t *testing.T) {
	observer := new(told)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), fullDisk{}, zap.InfoLevel)
	sink := NewLogSink(zap.New(core), NewLosses(SinkLog, observer))
	before := dropped(SinkLog)
	for range 3 {
		sink.Write(typicalRecord())
	}
	if got := dropped(SinkLog) - before; got != 3 {
		t.Errorf("counted %d, want 3", got)
	}
	if got := observer.list(); !slices.Equal(got, []string{"losing log write_failed"}) {
		t.Errorf("told %q", got)
	}
}
