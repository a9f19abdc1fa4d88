package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for _, test := range []struct {
		name string
		live uint64
		want int
	}{
		{"nothing known yet", 0, 3200},
		{"a gateway without a cache to speak of", 8 << 20, 400},
		{"as much as the allowance", 32 << 20, 100},
		{"a large cache", 500 << 20, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := percentFor(test.live); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestTuneGCRespectsTheOperator(t *testing.T) {
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "77")
	tuneGC()
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC was set by the operator, and is now %d", got)
	}
}

func TestAfterEachCollection(t *testing.T) {
	calls := make(chan struct{}, 100)
	afterEachCollection(func() {
		select {
		case calls <- struct{}{}:
		default:
		}
	})
	<-calls // at once
	for i := range 3 {
		runtime.GC()
		select {
		case <-calls:
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing was called after collection %d", i+1)
		}
	}
}
