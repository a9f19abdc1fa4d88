package member

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

var (
	doubt       = fleet.Change{Kind: fleet.Doubted}
	ownersDoubt = fleet.Change{Kind: fleet.OwnersDoubted}
)

// TestSharedDoubts: doubts take effect here at once, however many there are. The others are
// told of the first at once, and of all that follow together.
func TestSharedDoubts(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Start(t)
	a, here := join(t, redisServer, "a")
	_, there := join(t, redisServer, "b")
	begun := time.Now()
	if a.Tell(doubt) == 0 {
		t.Error("the first doubt was not told")
	}
	told := []fleet.Change{doubt}
	eventually(t, "the others applied the first doubt", func() bool { return slices.Equal(there.applied(), told) })
	mark := a.Mark()
	// A change that is certain is told at once all the same.
	for i, changes := range [][]fleet.Change{{doubt}, {ownersDoubt}, {doubt}, {doubt, token("one")}} {
		if generation := a.Tell(changes...); (generation != 0) != (len(changes) > 1) {
			t.Errorf("call %d: the change is at %d", i, generation)
		}
	}
	applied := []fleet.Change{doubt, doubt, ownersDoubt, doubt, doubt, token("one")}
	if got := here.applied(); !slices.Equal(got, applied) {
		t.Errorf("applied here: %v", got)
	}
	told = append(told, token("one"))
	eventually(t, "the others applied what is certain", func() bool { return slices.Equal(there.applied(), told) })
	if !a.Admits(tokens.IDOf("two"), []int64{1, 1}, mark, 0) {
		t.Error("doubts that wait make the store useless")
	}
	told = append(told, ownersDoubt)
	eventually(t, "the others applied the other doubts", func() bool { return len(there.applied()) >= len(told) })
	if took := time.Since(begun); took < doubtEvery {
		t.Errorf("they were told after %s", took)
	}
	if got := there.applied(); !slices.Equal(got, told) {
		t.Errorf("applied there: %v", got)
	}
	if a.Admits(tokens.IDOf("two"), []int64{1, 1}, mark, 0) {
		t.Error("what the store has from before the doubt is believed")
	}
	// Until now, what the store had from before was believed, so it may be known here again.
	applied = append(applied, ownersDoubt)
	eventually(t, "it is doubted here once more", func() bool { return slices.Equal(here.applied(), applied) })
}

func TestHoldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(Shared)
		if s.holdBack(fleet.AllChanged) || s.holdBack(fleet.TokenChanged) || s.holdBack(fleet.OwnersChanged) {
			t.Error("a change that is certain waits")
		}
		if s.holdBack(fleet.Doubted) {
			t.Error("the first doubt waits")
		}
		time.Sleep(doubtEvery - time.Second)
		if !s.holdBack(fleet.OwnersDoubted) || !s.holdBack(fleet.Doubted) {
			t.Error("a doubt soon after the first does not wait")
		}
		if s.doubt != fleet.OwnersDoubted {
			t.Errorf("%q waits", s.doubt)
		}
		if !s.timer.Stop() {
			t.Fatal("no timer runs")
		}
		time.Sleep(time.Second)
		if !s.holdBack(fleet.Doubted) {
			t.Error("a doubt overtakes those for which the timer is about to fire")
		}
		s.timer = nil // as it has fired
		if s.holdBack(fleet.Doubted) {
			t.Error("a doubt waits although enough time has passed")
		}
	})
}

// TestSharedClose: nothing is told after Close, and no timer stays.
func TestSharedClose(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"a doubt waits": 2, "none waits": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, here := join(t, redistest.Start(t), "a")
			for range before {
				a.Tell(doubt)
			}
			a.Close()
			a.Tell(doubt)
			a.mu.Lock()
			running := a.timer != nil && a.timer.Stop()
			a.mu.Unlock()
			if running {
				t.Error("a timer runs after Close")
			}
			if got := len(here.applied()); got != before+1 {
				t.Errorf("%d doubts were applied here", got)
			}
			a.Close() // it does no harm
		})
	}
}
