package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// lineOutput is what a test writes lines to.
type lineOutput struct {
	gate chan struct{} // nil for open

	mu      sync.Mutex
	all     bytes.Buffer
	room    int // bytes that it still takes; negative for any number
	writes  int
	closed  bool
	crashes bool // when it is closed
}

func newOutput() *lineOutput { return &lineOutput{room: -1} }

func (o *lineOutput) Write(lines []byte) (int, error) {
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.room >= 0 && len(lines) > o.room {
		n, _ := o.all.Write(lines[:o.room])
		o.room = 0
		return n, &fs.PathError{Op: "write", Path: "/secret/name", Err: syscall.ENOSPC}
	}
	if o.room >= 0 {
		o.room -= len(lines)
	}
	return o.all.Write(lines)
}

func (o *lineOutput) setRoom(room int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room = room
}

// state returns how often it was written to, and whether it was closed.
func (o *lineOutput) state() (writes int, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes, o.closed
}

func (o *lineOutput) Close() error {
	if o.crashes {
		panic("there was never a connection")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return nil
}

// paths returns those of the records that were written, and how many lines are none.
func (o *lineOutput) paths(t *testing.T) (paths []string, broken int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(o.all.Bytes()) {
		var record struct{ Path string }
		if err := json.Unmarshal(line, &record); err != nil {
			broken++
			continue
		}
		paths = append(paths, record.Path)
	}
	return paths, broken
}

func startOutput(out *lineOutput, settings Settings, observer LossObserver) *Sinks {
	return NewOutput(out, settings, NewLosses(SinkOutput, observer))
}

var dropping = Settings{WhenFull: Drop}

func TestOutput(t *testing.T) {
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

// TestOutputWritesWhatItCan: lines that the output does not take are counted, exactly,
// and what comes after them is whole.
func TestOutputWritesWhatItCan(t *testing.T) {
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
					before, observer := dropped(SinkOutput), new(told)
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
					if got := dropped(SinkOutput) - before; got != want {
						t.Errorf("%d are counted as lost, want %d", got, want)
					}
					if got := observer.details(); policy == Drop && !slices.Equal(got, []string{"no space left on device"}) {
						t.Errorf("told %q", got)
					}
					out.setRoom(-1)
					sinks.Put(&Record{Path: "after"}, false)
					time.Sleep(time.Minute)
					sinks.Close()
					got, broken := out.paths(t)
					if len(got) != 6-want || got[len(got)-1] != "after" || broken > 1 || policy != Drop && broken != 0 {
						t.Errorf("%q were written, and %d broken lines", got, broken)
					}
				})
			})
		}
	}
}

// TestOutputThatIsSlow: nothing is lost when the output is slower than the requests;
// they wait.
func TestOutputThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, out := dropped(SinkOutput), newOutput()
		out.gate = make(chan struct{})
		sinks := startOutput(out, dropping, new(told))
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
		if got, broken := out.paths(t); len(got) != n || broken != 0 || dropped(SinkOutput) != before {
			t.Errorf("%d of %d were written", len(got), n)
		}
	})
}

// TestOutputThatHangs: an output that takes nothing costs one request its patience,
// and not every one, and it holds up the end of the process no longer than it may.
func TestOutputThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, observer, out := dropped(SinkOutput), new(told), newOutput()
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
		if got := dropped(SinkOutput) - before; got != 3 {
			t.Errorf("%d are counted as lost, want 3", got)
		}
		if got := observer.list(); !slices.Equal(got, []string{"losing output queue_full"}) {
			t.Errorf("told %q", got)
		}
		began := time.Now()
		sinks.Close()
		if took := time.Since(began); took > closeTime {
			t.Errorf("closed after %s", took)
		}
		if got := dropped(SinkOutput) - before; got != lineQueue+3 {
			t.Errorf("%d are counted as lost, want %d", got, lineQueue+3)
		}
		sinks.Put(new(Record), false)
		if got := dropped(SinkOutput) - before; got != lineQueue+4 {
			t.Errorf("%d are counted as lost with a late one, want %d", got, lineQueue+4)
		}
		close(out.gate)
		synctest.Wait()
		if _, closed := out.state(); !closed {
			t.Error("it was never closed")
		}
	})
}

// TestOutputRefuses: no access without a record that has its place.
func TestOutputRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &lineOutput{room: 0}
		sinks := startOutput(out, Settings{Queue: 2, WhenFull: Refuse}, new(told))
		for range 2 {
			place, ok := sinks.Reserve()
			if !ok {
				t.Fatal("no room")
			}
			sinks.Put(new(Record), place)
		}
		if _, ok := sinks.Reserve(); ok {
			t.Error("a request passes although there is no room for its record")
		}
		out.setRoom(-1)
		time.Sleep(time.Minute)
		synctest.Wait()
		place, ok := sinks.Reserve()
		if !ok {
			t.Error("no room although everything was written")
		}
		sinks.Cancel(place)
		sinks.Close()
		if got, broken := out.paths(t); len(got) != 2 || broken != 0 {
			t.Errorf("%q were written, and %d broken lines", got, broken)
		}
	})
}

func TestOutputThatCrashesWhenItIsClosed(t *testing.T) {
	out := newOutput()
	out.crashes = true
	startOutput(out, dropping, new(told)).Close()
}

// TestOutputLosesNothing closes it in the middle of things.
func TestOutputLosesNothing(t *testing.T) {
	const workers, records = 8, 500
	before, out := dropped(SinkOutput), newOutput()
	sinks := startOutput(out, dropping, new(told))
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
	if got, broken := out.paths(t); len(got)+dropped(SinkOutput)-before != workers*records || broken != 0 {
		t.Errorf("%d of %d were written, %d counted as lost", len(got), workers*records, dropped(SinkOutput)-before)
	}
}

// TestOutputWritesInPieces: a batch that is larger than what is written at once.
func TestOutputWritesInPieces(t *testing.T) {
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

// TestOutputDoesNotHoldUpRefusals: with refuse, who was promised no place does not wait
// for one, least of all the answer that says so.
func TestOutputDoesNotHoldUpRefusals(t *testing.T) {
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

// TestOutputTornInALongLine: what is written in pieces goes on where it stopped.
func TestOutputTornInALongLine(t *testing.T) {
	out := &lineOutput{}
	c := newLineCarrier(out)
	for _, path := range []string{"a", strings.Repeat("y", 2*maxWrite), "z"} {
		c.convert(&Record{Path: path})
	}
	out.setRoom(len(appendLine(nil, &Record{Path: "a"})))
	if failed, ok := errors.AsType[*writeError](c.export(t.Context(), nil)); !ok || failed.count != 2 {
		t.Errorf("with room for one line: %v", failed)
	}
	out.setRoom(100)
	if err := c.export(t.Context(), nil); err == nil {
		t.Error("a line went where there was no room")
	}
	out.setRoom(-1)
	if err := c.export(t.Context(), nil); err != nil {
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
	synctest.Test(t, func(t *testing.T) {
		sinks := NewOutput(hangsClosing{newOutput()}, dropping, NewLosses(SinkOutput, new(told)))
		began := time.Now()
		sinks.Close()
		if took := time.Since(began); took > closeTime {
			t.Errorf("closing took %s", took)
		}
		time.Sleep(2 * time.Hour) // until it does
	})
}

// slow is an output that takes a while for each write.
type slow struct{ *lineOutput }

func (o slow) Write(lines []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return o.lineOutput.Write(lines)
}

// TestOutputTakesLateLines: of requests that end after everything was closed, all at
// once, and after a line that was torn.
func TestOutputTakesLateLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := slow{newOutput()}
		sinks := NewOutput(out, dropping, NewLosses(SinkOutput, new(told)))
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
				before := dropped(SinkOutput)
				out := &lineOutput{room: len(appendLine(nil, &Record{Path: "0"})) / 2}
				sinks := startOutput(out, Settings{WhenFull: test.policy}, new(told))
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
				if len(got) != test.whole || broken != test.broken || dropped(SinkOutput)-before != test.counts {
					t.Errorf("%q whole, %d broken, %d counted", got, broken, dropped(SinkOutput)-before)
				}
			})
		})
	}
}
