package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// output is what a test's trail is written to.
type output struct {
	gate chan struct{} // nil for open

	mu     sync.Mutex
	all    bytes.Buffer
	room   int // bytes that it still takes; negative for any number
	writes int
	closed bool
}

func newOutput() *output { return &output{room: -1} }

var errNoRoom = errors.New("no room")

func (o *output) Write(lines []byte) (int, error) {
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.room >= 0 && len(lines) > o.room {
		n, _ := o.all.Write(lines[:o.room])
		o.room = 0
		return n, errNoRoom
	}
	if o.room >= 0 {
		o.room -= len(lines)
	}
	return o.all.Write(lines)
}

func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return nil
}

// paths returns those of the records that were written, and how many lines are none.
func (o *output) paths(t *testing.T) (paths []string, broken int) {
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

func TestTrail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newOutput()
		trail := NewTrail(out, testLosses(t, SinkLog))
		var want []string
		put := func(n int) {
			for range n {
				path := strconv.Itoa(len(want))
				want = append(want, path)
				trail.Write(&Record{Path: path})
			}
		}
		check := func(when string, n, writes int) {
			t.Helper()
			synctest.Wait()
			if got, broken := out.paths(t); !slices.Equal(got, want[:n]) || broken != 0 || out.writes != writes {
				t.Errorf("%s: %d lines in %d writes, want %d in their order in %d", when, len(got), out.writes, n, writes)
			}
		}
		put(3)
		check("at once", 0, 0)
		time.Sleep(trailDelay)
		check("a moment later", 3, 1)
		put(2)
		time.Sleep(trailDelay / 2)
		put(1)
		check("before the next is due", 3, 1)
		time.Sleep(trailDelay / 2)
		check("when it is due", 6, 2)
		put(4)
		if err := trail.Close(); err != nil || !out.closed {
			t.Errorf("closed %v, %v", out.closed, err)
		}
		check("closed", 10, 3)
		put(1)
		check("after closing", 11, 4)
	})
}

// TestTrailWritesWhatItCan: lines that the output does not take are counted, exactly,
// and what comes after them is whole.
func TestTrailWritesWhatItCan(t *testing.T) {
	line := len(appendLine(nil, &Record{Path: "0"}))
	for _, test := range []struct {
		name string
		room int
		lost int64
	}{
		{"nothing fits", 0, 5},
		{"half a line", line / 2, 5},
		{"two lines and a half", line * 5 / 2, 3},
		{"two lines", 2 * line, 3},
		{"all but the end of the last line", 5*line - 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, observer := &output{room: test.room}, new(told)
				losses := NewLosses(SinkLog, observer)
				trail := NewTrail(out, losses)
				for i := range 5 {
					trail.Write(&Record{Path: strconv.Itoa(i)})
				}
				time.Sleep(2 * trailDelay)
				synctest.Wait()
				if losses.lost != test.lost {
					t.Errorf("%d are counted as lost, want %d", losses.lost, test.lost)
				}
				out.mu.Lock()
				out.room = -1
				out.mu.Unlock()
				trail.Write(&Record{Path: "after"})
				_ = trail.Close()
				got, broken := out.paths(t)
				if int64(len(got)) != 6-test.lost || got[len(got)-1] != "after" || broken > 1 {
					t.Errorf("%q were written, and %d broken lines", got, broken)
				}
			})
		})
	}
}

// TestTrailThatCannotKeepUp: nothing is lost when the output is slower than the
// requests; they wait.
func TestTrailThatCannotKeepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newOutput()
		out.gate = make(chan struct{})
		trail := NewTrail(out, testLosses(t, SinkLog))
		const n = 3 * maxTrail
		var puts sync.WaitGroup
		for range 8 {
			puts.Go(func() {
				for range n / 8 {
					trail.Write(new(Record))
				}
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		trail.mu.Lock()
		waiting := len(trail.waiting)
		trail.mu.Unlock()
		if waiting != maxTrail {
			t.Errorf("%d wait, want %d", waiting, maxTrail)
		}
		close(out.gate)
		puts.Wait()
		_ = trail.Close()
		if got, broken := out.paths(t); len(got) != n || broken != 0 {
			t.Errorf("%d of %d were written", len(got), n)
		}
	})
}

// TestTrailThatHangs: an output that takes nothing holds up neither the end of the
// process nor its count.
func TestTrailThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newOutput()
		out.gate = make(chan struct{})
		losses := NewLosses(SinkLog, new(told))
		trail := NewTrail(out, losses)
		trail.Write(&Record{Path: "being written"})
		time.Sleep(2 * trailDelay)
		trail.Write(new(Record))
		trail.Write(new(Record))
		began := time.Now()
		if err := trail.Close(); !errors.Is(err, errHangs) || time.Since(began) != closeTime {
			t.Errorf("closed after %s: %v", time.Since(began), err)
		}
		if losses.lost != 2 {
			t.Errorf("%d are counted as lost, want 2", losses.lost)
		}
		close(out.gate)
		synctest.Wait()
		if got, _ := out.paths(t); !slices.Equal(got, []string{"being written"}) || !out.closed {
			t.Errorf("%q were written, closed: %v", got, out.closed)
		}
	})
}

// TestTrailLosesNothing closes it in the middle of things.
func TestTrailLosesNothing(t *testing.T) {
	const workers, records = 8, 500
	out := newOutput()
	trail := NewTrail(out, testLosses(t, SinkLog))
	var puts sync.WaitGroup
	for range workers {
		puts.Go(func() {
			for i := range records {
				trail.Write(new(Record))
				if i%100 == 99 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	_ = trail.Close()
	puts.Wait()
	if got, broken := out.paths(t); len(got) != workers*records || broken != 0 {
		t.Errorf("%d of %d were written", len(got), workers*records)
	}
}
