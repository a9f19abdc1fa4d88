package audit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueBoundsEverything(t *testing.T) {
	t.Parallel()
	q := newQueue(3, 2, encodeAt)
	put := func(reserved bool, want string) {
		t.Helper()
		if got := q.put(new(Record), reserved, 0); got != want {
			t.Errorf("put: %q, want %q", got, want)
		}
	}
	reserve := func(want bool) {
		t.Helper()
		if got := q.reserve(); got != want {
			t.Errorf("reserve: %v, want %v", got, want)
		}
	}
	put(false, "")
	reserve(true)
	put(false, "")
	put(false, CauseFull) // the third is reserved
	reserve(false)
	put(true, "")
	if batch := q.next(nil, 2); len(batch) != 2 {
		t.Fatalf("a batch of %d", len(batch))
	}
	put(false, CauseFull) // a record keeps its room until it is sent
	if !q.sent() {
		t.Fatal("abandoned")
	}
	put(false, "")
	reserve(true)
	q.cancel()
	reserve(true)
	put(false, CauseFull)
	q.close()
	put(true, CauseShutdown)
	put(false, CauseShutdown)
	reserve(false)
	if batch := q.next(nil, 2); len(batch) != 2 {
		t.Errorf("%d left in the closed queue", len(batch))
	}
	if lost := q.abandon(); lost != 2 || q.sent() {
		t.Errorf("%d abandoned", lost)
	}
}

func TestQueueWakesOnceABatch(t *testing.T) {
	t.Parallel()
	q := newQueue(10, 3, encodeAt)
	for i := range 9 {
		q.put(new(Record), false, 0)
		if woken := len(q.due) > 0; woken != (i >= 2) {
			t.Errorf("after %d records: woken %v", i+1, woken)
		}
	}
}

func TestQueueWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 1, encodeAt)
		q.put(new(Record), false, 0)
		if got := q.put(new(Record), false, time.Millisecond); got != CauseFull {
			t.Errorf("without room: %q", got)
		}
		causes := make(chan string, 2)
		for range 2 {
			go func() { causes <- q.put(new(Record), false, time.Minute) }()
		}
		synctest.Wait()
		if q.freed == nil {
			t.Fatal("no request waits")
		}
		q.next(nil, 2)
		q.sent()
		if got := <-causes; got != "" {
			t.Errorf("the first to wait: %q", got)
		}
		q.close()
		if got := <-causes; got != CauseShutdown {
			t.Errorf("the other, when the queue was closed: %q", got)
		}
	})
}
