package changelog

import (
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	var applied []fleet.Change
	log := NewLocal(func(c fleet.Change) { applied = append(applied, c) }, func() time.Time { return now })
	epoch, begin := log.Position()
	told := log.Wait()
	first := log.Publish(fleet.Change{Kind: fleet.OwnerChanged, Owner: 1})
	now = now.Add(-time.Hour) // the clock is set back
	second := log.Publish(fleet.Change{Kind: fleet.OwnerChanged, Owner: 2}, fleet.Change{Kind: fleet.OwnerChanged, Owner: 3})

	if begin >= first || first >= second {
		t.Errorf("generations do not rise: %d, %d, %d", begin, first, second)
	}
	if len(applied) != 3 {
		t.Errorf("%d changes were applied, not 3", len(applied))
	}
	select {
	case <-told:
	default:
		t.Error("nobody was told of the first entry")
	}
	cases := map[string]struct {
		epoch string
		after fleet.Generation
		owner []int64
		lost  bool
	}{
		"from the start":    {epoch: epoch, after: begin, owner: []int64{1, 2, 3}},
		"from the first":    {epoch: epoch, after: first, owner: []int64{2, 3}},
		"up to date":        {epoch: epoch, after: second},
		"between two":       {epoch: epoch, after: second - 1, owner: []int64{3}},
		"another log":       {epoch: "other", after: first, lost: true},
		"before the log":    {epoch: epoch, after: begin - 1, lost: true},
		"after the log":     {epoch: epoch, after: second + 1, lost: true},
		"nothing was known": {lost: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			entries, ok := log.Since(c.epoch, c.after)
			if ok == c.lost || len(entries) != len(c.owner) {
				t.Fatalf("Since: %v, %t", entries, ok)
			}
			for i, e := range entries {
				if e.Change.Owner != c.owner[i] {
					t.Errorf("entry %d is about owner %d, not %d", i, e.Change.Owner, c.owner[i])
				}
			}
		})
	}
}

// TestLocalForgets shows that the log is bounded, and that what it handed out stays as it was.
func TestLocalForgets(t *testing.T) {
	t.Parallel()
	log := NewLocal(func(fleet.Change) {}, time.Now)
	epoch, begin := log.Position()
	middle := log.Publish(fleet.Change{Kind: fleet.OwnerChanged, Owner: 1})
	held, _ := log.Since(epoch, begin)
	for i := range int64(3 * ringSize) {
		log.Publish(fleet.Change{Kind: fleet.OwnerChanged, Owner: i + 2})
	}
	if _, ok := log.Since(epoch, middle); ok {
		t.Error("the log reaches back further than it can")
	}
	_, last := log.Position()
	if entries, ok := log.Since(epoch, last-1); !ok || len(entries) != 1 {
		t.Errorf("the last entry: %v, %t", entries, ok)
	}
	if len(log.entries) > 2*ringSize {
		t.Errorf("the log holds %d entries", len(log.entries))
	}
	if len(held) != 1 || held[0].Change.Owner != 1 {
		t.Errorf("what was handed out changed: %v", held)
	}
}

// TestLocalConcurrent publishes from many sides while one reads: every reader sees every entry
// once and in order.
func TestLocalConcurrent(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 200
	log := NewLocal(func(fleet.Change) {}, time.Now)
	epoch, after := log.Position()
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				log.Publish(fleet.Change{Kind: fleet.AllChanged})
			}
		})
	}
	for seen := 0; seen < writers*each; {
		told := log.Wait()
		entries, ok := log.Since(epoch, after)
		if !ok {
			t.Fatal("the log lost entries")
		}
		for _, e := range entries {
			if e.Generation <= after {
				t.Fatalf("%d comes after %d", e.Generation, after)
			}
			after = e.Generation
		}
		if seen += len(entries); len(entries) == 0 {
			<-told
		}
	}
	writing.Wait()
}
