package audit

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func startOutput(out *lineOutput, settings Settings, o *told) *Sinks {
	return NewOutput(out, settings, lossesOf(SinkOutput, o))
}

var dropping = Settings{WhenFull: Drop}

func TestOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := newOutput()
		sinks := startOutput(out, dropping, new(told))
		var want []string
		put := func(n int) {
			for range n {
				path := strconv.Itoa(len(want))
				want = append(want, path)
				sinks.Put(&Record{Path: path}, false)
			}
		}
		check := func(when string, n, writes int) {
			t.Helper()
			synctest.Wait()
			written, _ := out.state()
			if got, broken := out.paths(t); !slices.Equal(got, want[:n]) || broken != 0 || written != writes {
				t.Errorf("%s: %d lines in %d writes, want %d in their order in %d", when, len(got), written, n, writes)
			}
		}
		put(3)
		check("at once", 0, 0)
		time.Sleep(lineDelay)
		check("a moment later", 3, 1)
		put(2)
		time.Sleep(lineDelay / 2)
		put(1)
		check("before the next is due", 3, 1)
		time.Sleep(lineDelay / 2)
		check("when it is due", 6, 2)
		put(4)
		sinks.Close()
		if _, closed := out.state(); !closed {
			t.Error("it is still open")
		}
		check("closed", 10, 3)
		put(1)
		check("after closing", 11, 4)
	})
}

// TestOutputWritesWhatItCan: lines that cannot be written are counted exactly, and the
// lines after them are whole.
func TestOutputWritesWhatItCan(t *testing.T) {
	t.Parallel()
	line := len(appendLine(nil, &Record{Path: "0"}))
	for _, test := range []struct {
		name string
		room int
		lost int
	}{
		{"nothing fits", 0, 5},
		{"half a line", line / 2, 5},
		{"two lines and a half", line * 5 / 2, 3},
		{"two lines", 2 * line, 3},
		{"all but the end of the last line", 5*line - 2, 1},
	} {
		for _, policy := range []WhenFull{Drop, Block, Refuse} {
			t.Run(test.name+", "+string(policy), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					observer := new(told)
					out := &lineOutput{room: test.room}
					sinks := startOutput(out, Settings{WhenFull: policy, BlockFor: time.Second}, observer)
					for i := range 5 {
						sinks.Put(&Record{Path: strconv.Itoa(i)}, false)
					}
					time.Sleep(2 * lineDelay)
					synctest.Wait()
					want := test.lost
					if policy != Drop {
						want = 0 // they are kept, and written when there is room
					}
					if got := observer.dropped(SinkOutput); got != want {
						t.Errorf("%d are counted as lost, want %d", got, want)
					}
					told := "losing output write_failed"
					if policy != Drop {
						told = "holding output write_failed"
					}
					if got := observer.list(); !slices.Equal(got, []string{told}) || !slices.Equal(observer.details(), []string{"no space left on device"}) {
						t.Errorf("told %q, %q", got, observer.details())
					}
					if got := observer.waiting(); policy != Drop && got != 5 {
						t.Errorf("%d records wait", got)
					}
					out.setRoom(-1)
					sinks.Put(&Record{Path: "after"}, false)
					time.Sleep(time.Minute)
					if got := observer.list(); !slices.Equal(got, []string{told, "keeping output"}) || observer.waiting() != 0 {
						t.Errorf("in the end, told %q, and %d wait", got, observer.waiting())
					}
					sinks.Close()
					if observer.waiting() != -1 {
						t.Error("the queue of a closed sink is counted")
					}
					got, broken := out.paths(t)
					if len(got) != 6-want || got[len(got)-1] != "after" || broken > 1 || policy != Drop && broken != 0 {
						t.Errorf("%q were written, and %d broken lines", got, broken)
					}
				})
			})
		}
	}
}

// TestOutputThatIsSlow: requests wait for an output that is slower than they are, and
// nothing is lost.
func TestOutputThatIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		observer, out := new(told), newOutput()
		out.gate = make(chan struct{})
		sinks := startOutput(out, dropping, observer)
		const n = 2 * lineQueue
		var puts sync.WaitGroup
		for range 8 {
			puts.Go(func() {
				for range n / 8 {
					sinks.Put(new(Record), false)
				}
			})
		}
		time.Sleep(linePatience / 2)
		synctest.Wait()
		close(out.gate)
		puts.Wait()
		sinks.Close()
		if got, broken := out.paths(t); len(got) != n || broken != 0 || observer.dropped(SinkOutput) != 0 {
			t.Errorf("%d of %d were written", len(got), n)
		}
	})
}

// TestOutputThatHangs: only one request waits for an output that hangs, and closing it
// does not take longer than allowed.
func TestOutputThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		observer, out := new(told), newOutput()
		out.gate = make(chan struct{})
		sinks := startOutput(out, dropping, observer)
		put := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			sinks.Put(new(Record), false)
			if took := time.Since(began); took != want {
				t.Errorf("a request waits %s, want %s", took, want)
			}
		}
		for range lineQueue {
			put(0)
		}
		put(linePatience)
		put(0)
		put(0)
		if got := observer.dropped(SinkOutput); got != 3 {
			t.Errorf("%d are counted as lost, want 3", got)
		}
		// The write is found to hang at the same moment, before or after this.
		if got := observer.list(); got[len(got)-1] != "losing output queue_full" {
			t.Errorf("told %q", got)
		}
		began := time.Now()
		sinks.Close()
		if took := time.Since(began); took > closeTime {
			t.Errorf("closed after %s", took)
		}
		if got := observer.dropped(SinkOutput); got != lineQueue+3 {
			t.Errorf("%d are counted as lost, want %d", got, lineQueue+3)
		}
		sinks.Put(new(Record), false)
		if got := observer.dropped(SinkOutput); got != lineQueue+4 {
			t.Errorf("%d are counted as lost with a late one, want %d", got, lineQueue+4)
		}
		close(out.gate)
		synctest.Wait()
		if _, closed := out.state(); !closed {
			t.Error("it was never closed")
		}
	})
}

// TestOutputRefusesWhileItFails: from the first failed write on no request passes, although
// there is room, until everything is written.
func TestOutputRefusesWhileItFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		policy WhenFull
		passes bool
	}{{Refuse, false}, {Block, true}, {Drop, true}} {
		t.Run(string(test.policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &lineOutput{room: 0}
				sinks := startOutput(out, Settings{WhenFull: test.policy, BlockFor: time.Second}, new(told))
				reserved, _ := sinks.Reserve()
				late, _ := sinks.Reserve()
				sinks.Put(new(Record), reserved)
				time.Sleep(2 * lineDelay)
				synctest.Wait()
				if reserved, passes := sinks.Reserve(); passes != test.passes || bool(reserved) {
					t.Errorf("a request passes: %v, want %v", passes, test.passes)
				}
				sinks.Put(new(Record), late) // a request that passed before
				out.setRoom(-1)
				time.Sleep(maxBackoff)
				synctest.Wait()
				reserved, passes := sinks.Reserve()
				if !passes {
					t.Error("no request passes although everything was written")
				}
				sinks.Cancel(reserved)
				sinks.Close()
				if got, broken := out.paths(t); test.policy != Drop && len(got) != 2 || broken != 0 {
					t.Errorf("%q were written, and %d broken lines", got, broken)
				}
			})
		})
	}
}

// TestOutputThatIsBackInTime: a write that took very long, but succeeded, leaves nothing
// behind.
func TestOutputThatIsBackInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		observer, out := new(told), newOutput()
		out.gate = make(chan struct{})
		sinks := startOutput(out, Settings{WhenFull: Refuse}, observer)
		sinks.Put(new(Record), false)
		time.Sleep(linePatience + 2*lineDelay)
		synctest.Wait()
		if _, ok := sinks.Reserve(); ok || !slices.Equal(observer.details(), []string{"timeout"}) {
			t.Errorf("a request passes: %v, told %q", ok, observer.details())
		}
		close(out.gate)
		synctest.Wait()
		reserved, ok := sinks.Reserve()
		if !ok {
			t.Error("no request passes although everything was written")
		}
		sinks.Cancel(reserved)
		time.Sleep(calm)
		synctest.Wait()
		if got := observer.list(); !slices.Equal(got, []string{"holding output write_failed", "keeping output"}) {
			t.Errorf("told %q", got)
		}
		sinks.Close()
	})
}

// TestOutputRefuses: a request does not pass without room for its record.
func TestOutputRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &lineOutput{room: 0}
		sinks := startOutput(out, Settings{Queue: 2, WhenFull: Refuse}, new(told))
		for range 2 {
			reserved, ok := sinks.Reserve()
			if !ok {
				t.Fatal("no room")
			}
			sinks.Put(new(Record), reserved)
		}
		if _, ok := sinks.Reserve(); ok {
			t.Error("a request passes although there is no room for its record")
		}
		out.setRoom(-1)
		time.Sleep(time.Minute)
		synctest.Wait()
		reserved, ok := sinks.Reserve()
		if !ok {
			t.Error("no room although everything was written")
		}
		sinks.Cancel(reserved)
		sinks.Close()
		if got, broken := out.paths(t); len(got) != 2 || broken != 0 {
			t.Errorf("%q were written, and %d broken lines", got, broken)
		}
	})
}

func TestOutputThatCrashesWhenItIsClosed(t *testing.T) {
	t.Parallel()
	out := newOutput()
	out.crashes = true
	startOutput(out, dropping, new(told)).Close()
}

// TestOutputLosesNothing closes an output while records are being put.
func TestOutputLosesNothing(t *testing.T) {
	t.Parallel()
	const workers, records = 8, 500
	observer, out := new(told), newOutput()
	sinks := startOutput(out, dropping, observer)
	var puts sync.WaitGroup
	for range workers {
		puts.Go(func() {
			for i := range records {
				sinks.Put(new(Record), false)
				if i%100 == 99 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	sinks.Close()
	puts.Wait()
	if got, broken := out.paths(t); len(got)+observer.dropped(SinkOutput) != workers*records || broken != 0 {
		t.Errorf("%d of %d were written, %d counted as lost", len(got), workers*records, observer.dropped(SinkOutput))
	}
}

// TestOutputWritesInPieces: a batch may be larger than a single write.
func TestOutputWritesInPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := newOutput()
		sinks := startOutput(out, dropping, new(told))
		long := strings.Repeat("x", 40<<10)
		for range 3 {
			sinks.Put(&Record{Path: long}, false)
		}
		sinks.Put(&Record{Path: strings.Repeat("y", 2*maxWrite)}, false)
		sinks.Put(&Record{Path: "z"}, false)
		sinks.Close()
		if got, broken := out.paths(t); len(got) != 5 || broken != 0 || got[4] != "z" {
			t.Errorf("%d lines", len(got))
		}
		if writes, _ := out.state(); writes != 5 {
			t.Errorf("%d writes", writes)
		}
	})
}

// TestOutputDoesNotDelayRefusals: with refuse, requests without a reservation do not
// wait for room: they are refused already.
func TestOutputDoesNotDelayRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sinks := startOutput(newOutput(), Settings{Queue: 3, WhenFull: Refuse}, new(told))
		for range 3 {
			if _, ok := sinks.Reserve(); !ok {
				t.Fatal("no room")
			}
		}
		began := time.Now()
		if _, ok := sinks.Reserve(); ok {
			t.Error("there is room")
		}
		sinks.Put(new(Record), false)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
		sinks.Close()
	})
}

// TestOutputTornInALongLine: writing in pieces continues where it stopped.
func TestOutputTornInALongLine(t *testing.T) {
	t.Parallel()
	out := &lineOutput{}
	e := newLineExporter(out)
	for _, path := range []string{"a", strings.Repeat("y", 2*maxWrite), "z"} {
		e.add(&Record{Path: path})
	}
	out.setRoom(len(appendLine(nil, &Record{Path: "a"})))
	if failed, ok := errors.AsType[*writeError](e.export(t.Context())); !ok || failed.count != 2 {
		t.Errorf("with room for one line: %v", failed)
	}
	out.setRoom(100)
	if err := e.export(t.Context()); err == nil {
		t.Error("a line went where there was no room")
	}
	out.setRoom(-1)
	if err := e.export(t.Context()); err != nil {
		t.Error(err)
	}
	if got, broken := out.paths(t); len(got) != 3 || broken != 0 {
		t.Errorf("%d lines, %d broken", len(got), broken)
	}
}

// hangsClosing is an output that cannot be closed.
type hangsClosing struct{ *lineOutput }

func (hangsClosing) Close() error { time.Sleep(time.Hour); return nil }

func TestOutputThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sinks := NewOutput(hangsClosing{newOutput()}, dropping, lossesOf(SinkOutput, new(told)))
		began := time.Now()
		sinks.Close()
		if took := time.Since(began); took > closeTime {
			t.Errorf("closing took %s", took)
		}
		time.Sleep(2 * time.Hour) // until it does
	})
}

// slow is an output of which each write takes a millisecond.
type slow struct{ *lineOutput }

func (o slow) Write(lines []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return o.lineOutput.Write(lines)
}

// TestOutputTakesLateLines: requests that end after an output was closed are recorded,
// concurrently, and after a torn line.
func TestOutputTakesLateLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := slow{newOutput()}
		sinks := NewOutput(out, dropping, lossesOf(SinkOutput, new(told)))
		sinks.Close()
		var late sync.WaitGroup
		for range 20 {
			late.Go(func() { sinks.Put(new(Record), false) })
		}
		late.Wait()
		if got, broken := out.paths(t); len(got) != 20 || broken != 0 {
			t.Errorf("%d of 20 were written", len(got))
		}
	})
	for _, test := range []struct {
		policy                WhenFull
		whole, broken, counts int
	}{{Drop, 1, 1, 1}, {Refuse, 1, 0, 1}} {
		t.Run("torn, "+string(test.policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observer := new(told)
				out := &lineOutput{room: len(appendLine(nil, &Record{Path: "0"})) / 2}
				sinks := startOutput(out, Settings{WhenFull: test.policy}, observer)
				sinks.Put(&Record{Path: "0"}, false)
				time.Sleep(2 * lineDelay)
				closed := make(chan struct{})
				go func() { sinks.Close(); close(closed) }()
				synctest.Wait()
				if test.policy == Drop {
					<-closed
				}
				out.setRoom(-1)
				sinks.Put(&Record{Path: "1"}, false)
				<-closed
				got, broken := out.paths(t)
				if len(got) != test.whole || broken != test.broken || observer.dropped(SinkOutput) != test.counts {
					t.Errorf("%q whole, %d broken, %d counted", got, broken, observer.dropped(SinkOutput))
				}
			})
		})
	}
}
