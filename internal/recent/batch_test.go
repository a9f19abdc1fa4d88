package recent

import (
	"testing"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/scopes"
)

// TestWaiting: few records wait, in their order, and readers find them.
func TestWaiting(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
	for n := range 10 * together {
		g.Put(record(n, audit.Answered))
		if waiting, want := len(g.waiting.records), (n+1)%together; waiting != want {
			t.Fatalf("after %d records, %d wait, want %d", n+1, waiting, want)
		}
	}
	for n := range together - 1 {
		g.Put(record(10*together+n, audit.Answered))
	}
	const all = 11*together - 1
	for i, r := range g.Latest(all+1, func(*audit.Record) bool { return true }) {
		if r.RequestID != id(all-1-i) {
			t.Fatalf("record %d from the end is of %s", i, r.RequestID)
		}
	}
	if g.next != all || len(g.waiting.records) != 0 {
		t.Errorf("%d were encoded, and %d wait", g.next, len(g.waiting.records))
	}
	long := record(all, audit.Answered)
	long.Readings = []scopes.Reading{{Path: "/of any length", Operation: long.Operation}}
	if g.Put(long); len(g.waiting.records) != 0 {
		t.Error("a record that may be long waits")
	}
}

// TestNobodyWaits: requests do not wait for one that encodes, until too many records do.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
	g.mu.Lock() // as one that encodes
	for n := range mostWaiting - 1 {
		g.Put(record(n, audit.Answered))
	}
	put := make(chan struct{})
	go func() {
		defer close(put)
		g.Put(record(mostWaiting-1, audit.Answered))
	}()
	if g.next != 0 {
		t.Errorf("%d were encoded by others", g.next)
	}
	g.mu.Unlock()
	<-put
	if g.next != mostWaiting || span(g) != mostWaiting {
		t.Errorf("%d of %d were encoded", g.next, mostWaiting)
	}
}
