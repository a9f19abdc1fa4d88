package findings

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestOutbox: a slow receiver gets everything in order, and never makes others wait.
func TestOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		o := NewOutbox(func(f Finding, _ Change) { time.Sleep(time.Second); got = append(got, f.Key) }, func(int) { t.Error("some are lost") })
		began := time.Now()
		for _, key := range []string{"a", "b", "c"} {
			o.Observe(Finding{Key: key}, ChangeNew)
		}
		if time.Since(began) != 0 {
			t.Error("it waits")
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		o.Observe(Finding{Key: "d"}, ChangeNew)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(got) != 4 || got[0] != "a" || got[2] != "c" || got[3] != "d" {
			t.Errorf("delivered %q", got)
		}
	})
}

// TestOutboxIsBounded: what does not fit is counted.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		delivered, lost := 0, 0
		o := NewOutbox(func(Finding, Change) { <-ready; delivered++ }, func(n int) { lost += n })
		o.Observe(Finding{}, ChangeNew)
		synctest.Wait() // it is being delivered
		for range maxFindings + 7 {
			o.Observe(Finding{}, ChangeNew)
		}
		close(ready)
		synctest.Wait()
		if delivered != maxFindings+1 || lost != 7 {
			t.Errorf("%d delivered, %d lost", delivered, lost)
		}
	})
}
