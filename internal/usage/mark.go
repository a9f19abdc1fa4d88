package usage

import (
	"cmp"
	"crypto/rand"
	"maps"
	"slices"
	"time"
)

// A store may say that it could not save when it has: a network's answer is lost,
// or comes too late. So every ledger leaves a mark beside what it has added. When a
// save has failed, the mark in what is stored tells whether the next one has to add
// the same again.

const (
	// maxMarks is how many ledgers' marks are kept. A ledger needs its own until its
	// next flush only.
	maxMarks = 1000
	// markLife is how long a mark is kept that its ledger does not renew.
	markLife = 7 * 24 * time.Hour
)

// mark is the number of the last flush of a ledger that is in a snapshot.
type mark struct {
	Flush uint64 `json:"flush"`
	At    int64  `json:"at"` // epoch milliseconds
}

// doubt is what a failed flush was to add, which may or may not be stored.
type doubt struct {
	flush uint64
	state State
}

// newLedgerName returns a name that no other ledger has.
func newLedgerName() string { return rand.Text() }

// withMark returns marks with one more, and without those that have had their time.
func withMark(marks map[string]mark, name string, flush uint64, now time.Time) map[string]mark {
	at := now.UnixMilli()
	kept := make(map[string]mark, len(marks)+1)
	for other, m := range marks {
		if age := at - m.At; age < markLife.Milliseconds() {
			kept[other] = m
		}
	}
	delete(kept, name)
	if over := len(kept) - (maxMarks - 1); over > 0 {
		oldest := slices.SortedFunc(maps.Keys(kept), func(a, b string) int { return cmp.Compare(kept[a].At, kept[b].At) })
		for _, other := range oldest[:over] {
			delete(kept, other)
		}
	}
	kept[name] = mark{flush, at}
	return kept
}
