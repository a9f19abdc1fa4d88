package audit

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written is where a test's batches are written to.
type written struct {
	mu      sync.Mutex
	records []*Record
	gate    chan struct{} // nil for open
}

func (w *written) write(r *Record) {
	if w.gate != nil {
		<-w.gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

func (w *written) list() []*Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.records)
}

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(written)
		b := newBatch(w.write)
		var want []*Record
		put := func(n int) {
			for range n {
				r := new(Record)
				want = append(want, r)
				b.put(r)
			}
		}
		check := func(when string, n int) {
			t.Helper()
			synctest.Wait()
			if got := w.list(); !slices.Equal(got, want[:n]) {
				t.Errorf("%s: %d lines, want %d in their order", when, len(got), n)
			}
		}
		put(3)
		check("at once", 0)
		time.Sleep(batchDelay)
		check("a moment later", 3)
		put(2)
		time.Sleep(batchDelay / 2)
		put(1)
		check("before the next is due", 3)
		time.Sleep(batchDelay / 2)
		check("when it is due", 6)
		put(4)
		b.close()
		check("closed", 10)
		put(1)
		check("after closing", 11)
	})
}

// TestBatchThatCannotBeWritten holds that nothing is lost when the log is slower than
// the requests: they wait.
func TestBatchThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{gate: make(chan struct{})}
		b := newBatch(w.write)
		const n = 3 * maxBatch
		var puts sync.WaitGroup
		for range 8 {
			puts.Go(func() {
				for range n / 8 {
					b.put(new(Record))
				}
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.mu.Lock()
		waiting := len(b.waiting)
		b.mu.Unlock()
		if waiting != maxBatch {
			t.Errorf("%d wait, want %d", waiting, maxBatch)
		}
		close(w.gate)
		puts.Wait()
		b.close()
		if got := len(w.list()); got != n {
			t.Errorf("%d of %d were written", got, n)
		}
	})
}

// TestBatchLosesNothing closes it in the middle of things.
func TestBatchLosesNothing(t *testing.T) {
	const workers, records = 8, 500
	w := new(written)
	b := newBatch(w.write)
	var puts sync.WaitGroup
	for range workers {
		puts.Go(func() {
			for i := range records {
				b.put(new(Record))
				if i%100 == 99 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	b.close()
	puts.Wait()
	if got := len(w.list()); got != workers*records {
		t.Errorf("%d of %d were written", got, workers*records)
	}
}
