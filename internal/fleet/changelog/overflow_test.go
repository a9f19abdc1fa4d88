package changelog

import (
	"sync"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// alarms notes what is refused.
type alarms struct {
	fleet.NoObserver
	mu    sync.Mutex
	kinds []string
}

func (a *alarms) EntryRefused(kind string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kinds = append(a.kinds, kind)
}

func (a *alarms) refused() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.kinds...)
}

// TestOverflow: a gateway that sees more changes than it can keep while the store is down tells
// of one that concerns everything. To the others that is neither a gap nor an attack.
func TestOverflow(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	refused := new(alarms)
	a := follow(t, server, 1)
	b := followObserved(t, server, 1, refused)
	before := b.Mark()
	if a.Publish(changed("one")) == 0 {
		t.Fatal("not published")
	}
	eventually(t, "the other gateway applied it", func() bool { return len(b.applied()) == 1 })
	server.Stop()
	eventually(t, "the store is down", func() bool { up, _, _ := a.conn.Up(); return !up })
	for range maxPending + 10 {
		if got := a.Publish(changed("two")); got != 0 {
			t.Fatalf("published at %d", got)
		}
	}
	if a.Admits(tokens.IDOf("other"), []int64{1, 1}, a.Mark(), 0) {
		t.Error("something is believed while it waits that anything was changed")
	}
	server.Restart()
	const rest = 9 // that came after the queue was full
	eventually(t, "the other gateway applied the rest", func() bool { return len(b.applied()) >= 2+rest })
	got := b.applied()[1:]
	if got[0].Kind != fleet.OwnersChanged || got[1] != changed("two") || len(got) != 1+rest {
		t.Errorf("applied %v", got)
	}
	if b.Admits(tokens.IDOf("other"), []int64{1, 1}, before, 0) {
		t.Error("an answer from before is believed")
	}
	if kinds := refused.refused(); len(kinds) != 0 || b.missed() != 0 {
		t.Errorf("refused %q, with %d gaps", kinds, b.missed())
	}
	eventually(t, "answers are believed again", func() bool { return a.Admits(tokens.IDOf("other"), []int64{1, 1}, a.Mark(), 0) })
	a.floors.mu.Lock()
	defer a.floors.mu.Unlock()
	if len(a.pending) != 0 {
		t.Errorf("still pending: %v", a.pending)
	}
}
