package audit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// collector is an exporter that does what a test says.
type collector struct {
	mu    sync.Mutex
	err   error
	hang  bool // until the context ends
	deaf  bool // or longer
	calls int
	got   int // records

	batch int // of the sink's goroutine
}

func (c *collector) add(*Record) { c.batch++ }

func (c *collector) export(ctx context.Context) error {
	c.mu.Lock()
	c.calls++
	err, hang, deaf := c.err, c.hang, c.deaf
	if err == nil && !hang && !deaf {
		c.got += c.batch
	}
	c.mu.Unlock()
	switch {
	case deaf:
		time.Sleep(time.Hour)
	case hang:
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (c *collector) reset() { c.batch = 0 }

func (c *collector) shutdown(context.Context) error { return nil }

func (c *collector) set(change func(*collector)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *collector) counts() (records, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got, c.calls
}

func testSink(c *collector, o *told, settings Settings) *sink {
	return newSink(c, lossesOf(SinkTraces, o), settings, 10, pace{delay: time.Second, export: 5 * time.Second})
}

func putMany(s *sink, n int) {
	for range n {
		s.put(new(Record), false)
	}
}

func TestSinkSendsBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		s := testSink(c, new(told), Settings{Queue: 100, WhenFull: Drop})
		check := func(when string, wantRecords, wantCalls int) {
			t.Helper()
			synctest.Wait()
			if records, calls := c.counts(); records != wantRecords || calls != wantCalls {
				t.Errorf("%s: %d records in %d calls, want %d in %d", when, records, calls, wantRecords, wantCalls)
			}
		}
		putMany(s, 3)
		check("before it is time", 0, 0)
		time.Sleep(time.Second)
		check("after the delay", 3, 1)
		putMany(s, 10)
		check("a batch does not wait", 13, 2)
		putMany(s, 5)
		s.close()
		check("after closing", 18, 3)
	})
}

// TestSinkSendsLargeBatches: records that were encoded early count as part of the batch,
// so that neither a full batch nor a full queue waits.
func TestSinkSendsLargeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		s := newSink(c, lossesOf(SinkTraces, new(told)), Settings{Queue: encodeAt + 36, WhenFull: Drop}, 512, pace{delay: time.Hour, export: time.Second})
		for i, step := range []struct{ records, sent, calls int }{
			{encodeAt, 0, 0}, {35, 0, 0}, {1, encodeAt + 36, 1}, {encodeAt + 36, 2 * (encodeAt + 36), 2}, {5, 2 * (encodeAt + 36), 2},
		} {
			putMany(s, step.records)
			synctest.Wait()
			if records, calls := c.counts(); records != step.sent || calls != step.calls {
				t.Errorf("step %d: %d records in %d calls, want %d in %d", i, records, calls, step.sent, step.calls)
			}
		}
		s.close()
		if records, calls := c.counts(); records != 2*(encodeAt+36)+5 || calls != 3 {
			t.Errorf("in the end %d records in %d calls", records, calls)
		}
	})
}

// TestSinkMakesRoom: if all room is taken, records that could be sent are sent, and
// requests are not refused until the next tick.
func TestSinkMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		s := newSink(c, lossesOf(SinkTraces, new(told)), Settings{Queue: 20, WhenFull: Refuse}, 10, pace{delay: time.Hour, export: time.Second})
		for i := range 20 {
			if !s.reserve() {
				t.Fatal("no room")
			}
			if i < 9 {
				s.put(new(Record), true)
			}
		}
		synctest.Wait()
		if s.reserve() {
			t.Error("there is room although nothing was sent")
		}
		synctest.Wait()
		if records, _ := c.counts(); records != 9 || !s.reserve() {
			t.Errorf("%d records were sent", records)
		}
		s.close()
	})
}

func TestSinkCountsWhatItLoses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		err     error
		records int
		lost    int
		told    string
	}{
		{"nothing", nil, 10, 0, ""},
		{"a failed export", errors.New("broken"), 10, 10, "losing traces export_failed"},
		{"a part", errors.New("OTLP partial success: too old (4 spans rejected)"), 10, 4, "losing traces rejected"},
		{"a warning", errors.New("OTLP partial success: slow down (0 spans rejected)"), 10, 0, ""},
		{"more than was sent", errors.New("OTLP partial success: (4 spans rejected) (99 spans rejected)"), 10, 10, "losing traces rejected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(told)
				s := testSink(&collector{err: test.err}, o, Settings{Queue: 20, WhenFull: Drop})
				putMany(s, test.records)
				s.close()
				if got := o.dropped(SinkTraces); got != test.lost {
					t.Errorf("lost %d, want %d", got, test.lost)
				}
				if got := o.list(); test.told == "" && len(got) != 0 || test.told != "" && !slices.Equal(got, []string{test.told}) {
					t.Errorf("told %q, want %q", got, test.told)
				}
			})
		})
	}
}

func TestSinkDropsWhenFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := new(told)
		c := &collector{hang: true}
		s := testSink(c, o, Settings{Queue: 20, WhenFull: Drop})
		putMany(s, 30)
		if got := o.dropped(SinkTraces); got != 10 {
			t.Errorf("lost %d of 30 with room for 20", got)
		}
		c.set(func(c *collector) { c.hang = false })
		s.close()
		records, _ := c.counts()
		if got := o.dropped(SinkTraces); got+records != 30 {
			t.Errorf("lost %d and got %d of 30", got, records)
		}
		if got := o.list(); !slices.Equal(got, []string{"losing traces queue_full"}) {
			t.Errorf("told %q", got)
		}
	})
}

// TestSinkKeepsWhatItMust: with block and refuse, no record is lost while a collector is
// away and there is room.
func TestSinkKeepsWhatItMust(t *testing.T) {
	t.Parallel()
	for _, policy := range []WhenFull{Block, Refuse} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(told)
				c := &collector{err: errors.New("away")}
				s := testSink(c, o, Settings{Queue: 20, WhenFull: policy, BlockFor: time.Millisecond})
				putMany(s, 20)
				time.Sleep(2 * time.Second)
				if got := o.list(); !slices.Equal(got, []string{"holding traces export_failed"}) || o.waiting() != 20 {
					t.Errorf("told %q, and %d wait", got, o.waiting())
				}
				time.Sleep(10 * time.Minute)
				if s.reserve() {
					t.Error("there is room although nothing was sent")
				}
				s.put(new(Record), false)
				if got := o.dropped(SinkTraces); got != 1 {
					t.Errorf("lost %d, want the one for which there was no room", got)
				}
				if _, calls := c.counts(); calls > 100 {
					t.Errorf("tried %d times in ten minutes", calls)
				}
				c.set(func(c *collector) { c.err = nil })
				time.Sleep(maxBackoff + time.Second)
				synctest.Wait()
				if records, _ := c.counts(); records != 20 || !s.reserve() {
					t.Errorf("%d records arrived when it was back", records)
				}
				time.Sleep(calm)
				synctest.Wait()
				if got := o.list(); !slices.Equal(got, []string{"holding traces export_failed", "losing traces queue_full", "keeping traces"}) {
					t.Errorf("told %q", got)
				}
				s.close()
			})
		})
	}
}

// TestSinkClosesInTime: whatever a collector does, what could not be sent is counted
// within two seconds.
func TestSinkClosesInTime(t *testing.T) {
	t.Parallel()
	for _, policy := range []WhenFull{Drop, Block, Refuse} {
		for _, test := range []struct {
			name string
			make func() *collector
		}{
			{"fails", func() *collector { return &collector{err: errors.New("broken")} }},
			{"hangs", func() *collector { return &collector{hang: true} }},
			{"never returns", func() *collector { return &collector{deaf: true} }},
		} {
			t.Run(string(policy)+" "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := new(told)
					s := testSink(test.make(), o, Settings{Queue: 50, WhenFull: policy})
					putMany(s, 35)
					if !s.reserve() {
						t.Fatal("no room")
					}
					start := time.Now()
					s.close()
					if took := time.Since(start); took > closeTime {
						t.Errorf("took %s", took)
					}
					if got := o.dropped(SinkTraces); got != 35 {
						t.Errorf("lost %d, want 35", got)
					}
					s.put(new(Record), true) // of a request that was still in progress
					if got := o.dropped(SinkTraces); got != 36 {
						t.Errorf("lost %d with a late one, want 36", got)
					}
					<-s.done // the export that hangs returns at last, and changes nothing
					if got := o.dropped(SinkTraces); got != 36 {
						t.Errorf("lost %d in the end, want 36", got)
					}
				})
			})
		}
	}
}

// TestSinksCloseOnce: closing again waits for the first time and does nothing more, and
// requests may put records at any time.
func TestSinksCloseOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, o := &collector{hang: true}, new(told)
		first, second := testSink(c, o, Settings{Queue: 1000, WhenFull: Refuse}), testSink(new(collector), o, Settings{Queue: 1000, WhenFull: Drop})
		all := Join(&Sinks{[]*sink{first}}, nil, &Sinks{[]*sink{second}})
		const requests, records = 4, 50
		var working sync.WaitGroup
		for range requests {
			working.Go(func() {
				for range records {
					if reserved, ok := all.Reserve(); ok {
						all.Put(new(Record), reserved)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		for range 3 {
			working.Go(func() {
				all.Close()
				if took := time.Since(start); took != giveUpTime && took != flushTime {
					t.Errorf("closed after %s", took)
				}
			})
		}
		working.Wait()
		all.Close()
		if reserved, ok := all.Reserve(); ok || bool(reserved) {
			t.Error("closed sinks gave a reservation")
		}
		all.Put(new(Record), false)
		if taken := first.queue.taken; taken != 0 {
			t.Errorf("%d reservations were not given back", taken)
		}
	})
}

// TestJoin: a request is refused if one of several queues has no room, and a reservation
// is only for those that refuse.
func TestJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := new(told)
		slow := pace{delay: time.Hour, export: time.Second}
		large := newSink(new(collector), lossesOf(SinkTraces, o), Settings{Queue: 3, WhenFull: Refuse}, 10, slow)
		dropping := newSink(new(collector), lossesOf(SinkLogs, o), Settings{Queue: 1, WhenFull: Drop}, 10, slow)
		small := newSink(new(collector), lossesOf(SinkOutput, o), Settings{Queue: 2, WhenFull: Refuse}, 10, slow)
		all := Join(&Sinks{[]*sink{large}}, &Sinks{[]*sink{dropping, small}})
		var last Reservation
		for range 2 {
			var ok bool
			if last, ok = all.Reserve(); !ok || !bool(last) {
				t.Fatal("no room")
			}
		}
		if _, ok := all.Reserve(); ok || large.queue.taken != 2 || dropping.queue.taken != 0 {
			t.Errorf("a third request passes: %v; %d and %d taken", ok, large.queue.taken, dropping.queue.taken)
		}
		all.Cancel(last)
		if last, ok := all.Reserve(); !ok || !bool(last) {
			t.Error("no room after a reservation was cancelled")
		}
		for range 2 {
			all.Put(new(Record), true)
		}
		all.Close()
		if large.queue.taken != 0 || small.queue.taken != 0 {
			t.Errorf("%d and %d are taken after the records were sent", large.queue.taken, small.queue.taken)
		}
		if o.dropped(SinkTraces) != 0 || o.dropped(SinkOutput) != 0 {
			t.Error("records with a reservation were lost")
		}
		if Join(nil, nil) != nil {
			t.Error("no sinks make some")
		}
	})
}
