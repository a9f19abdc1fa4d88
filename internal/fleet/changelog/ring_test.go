package changelog

import (
	"sync"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
)

// numbered returns entries with the generations from one to another, both included.
func numbered(from, to fleet.Generation) (entries []fleet.Entry) {
	for g := from; g <= to; g++ {
		entries = append(entries, at(g, ofOwner(int64(g))))
	}
	return entries
}

func TestRingSince(t *testing.T) {
	t.Parallel()
	full := newRing("one", 10)
	full.add(numbered(11, 15)...)
	gaps := newRing("one", 10)
	gaps.add(at(20, ofOwner(20)), at(30, ofOwner(30)))
	trimmed := newRing("one", 10)
	trimmed.add(numbered(11, 10+2*ringSize)...)
	begun := newRing("one", 10)
	begun.add(numbered(11, 15)...)
	begun.reset("two", 50)
	again := newRing("one", 10)
	again.add(numbered(11, 15)...)
	again.reset("one", 50)
	again.add(numbered(51, 52)...)
	back := newRing("one", 10)
	back.add(numbered(11, 15)...)
	back.reset("two", 5) // the server lost all that it had
	back.add(numbered(6, 8)...)

	for name, c := range map[string]struct {
		ring        *ring
		epoch       string
		after       fleet.Generation
		first, last fleet.Generation
		want        int
		lost        bool
	}{
		"all":                              {ring: full, epoch: "one", after: 10, first: 11, last: 15, want: 5},
		"some":                             {ring: full, epoch: "one", after: 13, first: 14, last: 15, want: 2},
		"none are new":                     {ring: full, epoch: "one", after: 15},
		"another epoch":                    {ring: full, epoch: "two", after: 13, lost: true},
		"no epoch":                         {ring: full, after: 13, lost: true},
		"before the log":                   {ring: full, epoch: "one", after: 9, lost: true},
		"in the future":                    {ring: full, epoch: "one", after: 16, lost: true},
		"an empty log":                     {ring: newRing("one", 10), epoch: "one", after: 10},
		"an empty log, in the future":      {ring: newRing("one", 10), epoch: "one", after: 11, lost: true},
		"between two entries":              {ring: gaps, epoch: "one", after: 25, first: 30, last: 30, want: 1},
		"before the first":                 {ring: gaps, epoch: "one", after: 15, first: 20, last: 30, want: 2},
		"trimmed, from the beginning":      {ring: trimmed, epoch: "one", after: 10, lost: true},
		"trimmed, before what it has":      {ring: trimmed, epoch: "one", after: 9 + ringSize, lost: true},
		"trimmed, all that it has":         {ring: trimmed, epoch: "one", after: 10 + ringSize, first: 11 + ringSize, last: 10 + 2*ringSize, want: ringSize},
		"trimmed, the last":                {ring: trimmed, epoch: "one", after: 9 + 2*ringSize, first: 10 + 2*ringSize, last: 10 + 2*ringSize, want: 1},
		"a new epoch, asked of the old":    {ring: begun, epoch: "one", after: 15, lost: true},
		"a new epoch, from its beginning":  {ring: begun, epoch: "two", after: 50},
		"a new epoch, from before it":      {ring: begun, epoch: "two", after: 15, lost: true},
		"begun anew, from before":          {ring: again, epoch: "one", after: 15, lost: true},
		"begun anew, from its beginning":   {ring: again, epoch: "one", after: 50, first: 51, last: 52, want: 2},
		"begun anew, in the middle of all": {ring: again, epoch: "one", after: 51, first: 52, last: 52, want: 1},
		"a new epoch that is further back": {ring: back, epoch: "two", after: 5, first: 6, last: 8, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, ok := c.ring.since(c.epoch, c.after)
			if ok == c.lost {
				t.Fatalf("it reaches that far: %t", ok)
			}
			if len(entries) != c.want {
				t.Fatalf("%d entries, not %d", len(entries), c.want)
			}
			if c.want > 0 && (entries[0].Generation != c.first || entries[c.want-1].Generation != c.last) {
				t.Errorf("from %d to %d", entries[0].Generation, entries[c.want-1].Generation)
			}
		})
	}
}

// TestRingHandedOut: a reader that appends to what it got, does not write to the ring.
func TestRingHandedOut(t *testing.T) {
	t.Parallel()
	r := newRing("one", 0)
	r.add(numbered(1, 3)...)
	r.add(at(4, ofOwner(4)))
	if cap(r.entries) == len(r.entries) {
		t.Fatal("there is no room to write to")
	}
	got, _ := r.since("one", 1)
	r.add(at(5, ofOwner(5)))
	_ = append(got, at(99, ofOwner(99)))
	if all, _ := r.since("one", 0); len(all) != 5 || all[4].Generation != 5 {
		t.Errorf("the ring was changed: %v", all)
	}
}

func TestRingWait(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ring){
		"an entry":        func(r *ring) { r.add(at(11, ofOwner(1))) },
		"another epoch":   func(r *ring) { r.reset("two", 0) },
		"the epoch again": func(r *ring) { r.reset("one", 20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRing("one", 10)
			told, also := r.wait(), r.wait()
			if closed(told) {
				t.Fatal("told before there is anything")
			}
			change(r)
			if !closed(told) || !closed(also) {
				t.Error("not all who wait were told")
			}
			if closed(r.wait()) {
				t.Error("told of what is known already")
			}
		})
	}
}

func closed(told <-chan struct{}) bool {
	select {
	case <-told:
		return true
	default:
		return false
	}
}

// TestRingReaders reads with many readers while one side writes, trims and begins anew: each
// sees entries in order and none twice, and has none missing unless it is told so.
func TestRingReaders(t *testing.T) {
	t.Parallel()
	const readers, last = 4, 5 * ringSize
	r := newRing("one", 0)
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			epoch, after := r.position()
			for epoch != "two" || after < last {
				told := r.wait()
				entries, ok := r.since(epoch, after)
				if !ok {
					epoch, after = r.position()
					continue
				}
				for _, e := range entries {
					if e.Generation != after+1 || e.Change.Owner != int64(e.Generation) {
						t.Errorf("%v comes after %d", e, after)
						return
					}
					after = e.Generation
				}
				if len(entries) == 0 {
					<-told
				}
			}
		})
	}
	for g := fleet.Generation(1); g <= last; g++ {
		if g == last/2 {
			r.reset("two", g-1)
		}
		r.add(at(g, ofOwner(int64(g))))
	}
	reading.Wait()
}
