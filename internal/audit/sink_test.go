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

// collector is a carrier that does as a test says.
type collector struct {
	mu    sync.Mutex
	err   error
	hang  bool // until the context ends
	deaf  bool // or longer
	calls int
	got   []*Record
}

func (c *collector) convert(r *Record) *Record { return r }

func (c *collector) export(ctx context.Context, records []*Record) error {
	c.mu.Lock()
	c.calls++
	err, hang, deaf := c.err, c.hang, c.deaf
	if err == nil && !hang && !deaf {
		c.got = append(c.got, records...)
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

func (c *collector) reuse() {}

func (c *collector) shutdown(context.Context) error { return nil }

func (c *collector) set(change func(*collector)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *collector) counts() (records, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got), c.calls
}

func testSink(c *collector, o *told, settings Settings) *sink[*Record] {
	return newSink(c, NewLosses(SinkTraces, o), settings, 10, pace{delay: time.Second, export: 5 * time.Second})
}

func putMany(s *sink[*Record], n int) {
	for range n {
		s.put(new(Record), false)
	}
}

func TestSinkSendsBatches(t *testing.T) {
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
		check("after the end", 18, 3)
	})
}

// TestSinkSendsLargeBatches: what was converted early counts for the batch, so that
// neither a full batch nor a full queue waits.
func TestSinkSendsLargeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		s := newSink(c, NewLosses(SinkTraces, new(told)), Settings{Queue: convertAt + 36, WhenFull: Drop}, 512, pace{delay: time.Hour, export: time.Second})
		for i, step := range []struct{ records, sent, calls int }{
			{convertAt, 0, 0}, {35, 0, 0}, {1, convertAt + 36, 1}, {convertAt + 36, 2 * (convertAt + 36), 2}, {5, 2 * (convertAt + 36), 2},
		} {
			putMany(s, step.records)
			synctest.Wait()
			if records, calls := c.counts(); records != step.sent || calls != step.calls {
				t.Errorf("step %d: %d records in %d calls, want %d in %d", i, records, calls, step.sent, step.calls)
			}
		}
		s.close()
		if records, calls := c.counts(); records != 2*(convertAt+36)+5 || calls != 3 {
			t.Errorf("in the end %d records in %d calls", records, calls)
		}
	})
}

// TestSinkMakesRoom: who finds all places promised is not refused until the next tick
// while some of them could be sent.
func TestSinkMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		s := newSink(c, NewLosses(SinkTraces, new(told)), Settings{Queue: 20, WhenFull: Refuse}, 10, pace{delay: time.Hour, export: time.Second})
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
				before, o := dropped(SinkTraces), new(told)
				s := testSink(&collector{err: test.err}, o, Settings{Queue: 20, WhenFull: Drop})
				putMany(s, test.records)
				s.close()
				if got := dropped(SinkTraces) - before; got != test.lost {
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
	synctest.Test(t, func(t *testing.T) {
		before, o := dropped(SinkTraces), new(told)
		c := &collector{hang: true}
		s := testSink(c, o, Settings{Queue: 20, WhenFull: Drop})
		putMany(s, 30)
		if got := dropped(SinkTraces) - before; got != 10 {
			t.Errorf("lost %d of 30 with room for 20", got)
		}
		c.set(func(c *collector) { c.hang = false })
		s.close()
		records, _ := c.counts()
		if got := dropped(SinkTraces) - before; got+records != 30 {
			t.Errorf("lost %d and got %d of 30", got, records)
		}
		if got := o.list(); !slices.Equal(got, []string{"losing traces queue_full"}) {
			t.Errorf("told %q", got)
		}
	})
}

// TestSinkKeepsWhatItMust: under block and refuse a collector that is away costs no
// record while there is room.
func TestSinkKeepsWhatItMust(t *testing.T) {
	for _, policy := range []WhenFull{Block, Refuse} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := dropped(SinkTraces)
				c := &collector{err: errors.New("away")}
				s := testSink(c, new(told), Settings{Queue: 20, WhenFull: policy, BlockFor: time.Millisecond})
				putMany(s, 20)
				time.Sleep(10 * time.Minute)
				if s.reserve() {
					t.Error("there is room although nothing was sent")
				}
				s.put(new(Record), false)
				if got := dropped(SinkTraces) - before; got != 1 {
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
				s.close()
			})
		})
	}
}

// TestSinkClosesInTime: whatever a collector does, what did not get out is counted
// within two seconds.
func TestSinkClosesInTime(t *testing.T) {
	for _, policy := range []WhenFull{Drop, Block, Refuse} {
		for _, test := range []struct {
			name string
			make func() *collector
		}{
			{"fails", func() *collector { return &collector{err: errors.New("broken")} }},
			{"hangs", func() *collector { return &collector{hang: true} }},
			{"hangs for good", func() *collector { return &collector{deaf: true} }},
		} {
			t.Run(string(policy)+" "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					before := dropped(SinkTraces)
					s := testSink(test.make(), new(told), Settings{Queue: 50, WhenFull: policy})
					putMany(s, 35)
					if !s.reserve() {
						t.Fatal("no room")
					}
					start := time.Now()
					s.close()
					if took := time.Since(start); took > closeTime {
						t.Errorf("took %s", took)
					}
					if got := dropped(SinkTraces) - before; got != 35 {
						t.Errorf("lost %d, want 35", got)
					}
					s.put(new(Record), true) // of a request that was still under way
					if got := dropped(SinkTraces) - before; got != 36 {
						t.Errorf("lost %d with a late one, want 36", got)
					}
					<-s.done // what hangs ends some time, and changes nothing then
					if got := dropped(SinkTraces) - before; got != 36 {
						t.Errorf("lost %d in the end, want 36", got)
					}
				})
			})
		}
	}
}
