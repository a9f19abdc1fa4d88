package audit

import (
	"sync"
	"testing"
	"time"
)

func TestQueueBoundsEverything(t *testing.T) {
	q := newQueue(3, 2, convertAt)
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
	put(false, CauseFull) // the third place is promised
	reserve(false)
	put(true, "")
	if batch := q.next(nil, 2); len(batch) != 2 {
		t.Fatalf("a batch of %d", len(batch))
	}
	put(false, CauseFull) // what is being sent has its place until it is sent
	if !q.sent() {
		t.Fatal("given up")
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
		t.Errorf("%d given up", lost)
	}
}

func TestQueueWakesOnceABatch(t *testing.T) {
	q := newQueue(10, 3, convertAt)
	for i := range 9 {
		q.put(new(Record), false, 0)
		if woken := len(q.due) > 0; woken != (i >= 2) {
			t.Errorf("after %d records: woken %v", i+1, woken)
		}
	}
}

func TestQueueWaitsForRoom(t *testing.T) {
	q := newQueue(1, 1, convertAt)
	q.put(new(Record), false, 0)
	if got := q.put(new(Record), false, time.Millisecond); got != CauseFull {
		t.Errorf("without room: %q", got)
	}
	var waiters sync.WaitGroup
	causes := make(chan string, 2)
	for range 2 {
		waiters.Go(func() { causes <- q.put(new(Record), false, time.Minute) })
	}
	await(t, "somebody to wait", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.freed != nil
	})
	q.next(nil, 2)
	q.sent()
	if got := <-causes; got != "" {
		t.Errorf("the first to wait: %q", got)
	}
	q.close()
	if got := <-causes; got != CauseShutdown {
		t.Errorf("the other, when the queue was closed: %q", got)
	}
	waiters.Wait()
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
