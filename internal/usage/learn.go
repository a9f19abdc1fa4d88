package usage

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

const (
	// maxLessons is how many rows have lessons: a few times the shipped map, so that rows
	// of older maps stay.
	maxLessons = 4096
	// maxRefused and maxPassed limit the lists of one lesson.
	maxRefused = 8
	maxPassed  = 16
	// maxHeld is how many scopes a token may hold for its answers to count. Databricks
	// has 55.
	maxHeld = 64
)

// lesson is a [Lesson] that is being learned. Its lists are not sorted.
type lesson struct {
	id   handle
	row  scopes.Operation // of id
	told atomic.Bool      // that there is a disagreement

	mu                sync.Mutex
	agreed, disagreed uint64
	first, last       time.Time
	refused           []Refusal
	passed            []Success
	cut, crowded      bool
	counted           []string      // the scopes that were counted last
	at                int           // in passed
	recent            [64]recentSet // by hash
	misses            int           // sets that were not in recent
	proofs            proofs
}

// recentSet remembers which element of passed counts a set of scopes.
type recentSet struct {
	hash uint64 // 0 for none
	at   int    // -1 if none does
}

// How many sets of scopes are looked at closely, which takes microseconds, until the lesson
// is drained: that many, and then some. Where each token has other scopes, most of them say
// nothing new. Those of answers that disagree are all looked at.
const (
	closeLooks = 256
	someLooks  = 64
)

var seed = maphash.MakeSeed()

// hash identifies a set of scopes, whatever their order.
func hash(held []string) (sum uint64) {
	for _, scope := range held {
		sum += maphash.String(seed, scope)
	}
	return max(1, sum)
}

// Learn counts an answer by a token that held these scopes for certain. It reports whether
// it is the first in this process that disagrees with the row. It waits for no store. What
// only says what is proven already is for Repeat.
func (r *recorder) Learn(a Answer) (first bool) {
	l := r.lessons.of(&r.handles, a.Operation)
	if l == nil {
		return false
	}
	l.mu.Lock()
	l.take(&a)
	l.mu.Unlock()
	return !a.Agreed && l.told.CompareAndSwap(false, true)
}

// Repeat counts an answer if it says only what is proven already, and reports whether it
// does. It is meant for every request that passes: it allocates nothing and waits for no
// store.
func (r *recorder) Repeat(a Answer) bool {
	l := r.lessons.of(&r.handles, a.Operation)
	if l == nil {
		return true // there is no room for it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.repeat(&a)
}

// Count counts an answer that agrees, but not with which scopes.
func (r *recorder) Count(a Answer) {
	if l := r.lessons.of(&r.handles, a.Operation); l != nil && a.Agreed {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count(&a)
	}
}

// claim counts an answer that agrees, and what it says if that is proven by now.
func (r *recorder) claim(a Answer) {
	l := r.lessons.of(&r.handles, a.Operation)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proofs.claim(&a, r.now()) {
		l.take(&a)
		return
	}
	l.count(&a)
}

// repeat counts an answer that says nothing new, and reports whether it is one. l is locked.
func (l *lesson) repeat(a *Answer) bool {
	if len(a.Named) > 0 {
		if !l.proofs.has(a.key()) {
			return false
		}
		l.refuse(a)
	} else if !l.passAgain(a) {
		return false
	}
	l.count(a)
	return true
}

// take counts an answer whose scopes are certain. l is locked.
func (l *lesson) take(a *Answer) {
	l.proofs.add(a.key())
	if len(a.Named) > 0 {
		l.refuse(a)
	} else {
		l.pass(a, hash(a.Held))
	}
	l.count(a)
}

// count counts an answer, without what it says. l is locked.
func (l *lesson) count(a *Answer) {
	l.span(a.At, a.At)
	if a.Agreed {
		l.agreed = plus(l.agreed, 1)
	} else {
		l.disagreed = plus(l.disagreed, 1)
	}
}

// span makes the lesson include the answers between two times.
func (l *lesson) span(first, last time.Time) {
	if l.agreed == 0 && l.disagreed == 0 {
		l.first, l.last = first, last
	}
	l.first, l.last = earlier(l.first, first), later(l.last, last)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// passAgain counts scopes with which a request passed if they are proven, or do not matter
// any more. l is locked.
func (l *lesson) passAgain(a *Answer) bool {
	held := a.Held
	if len(held) == len(l.counted) && len(held) > 0 && &held[0] == &l.counted[0] {
		l.passed[l.at].add(1, a.At, a.At) // the same token again
		return true
	}
	sum := hash(held)
	if recent := &l.recent[sum%uint64(len(l.recent))]; recent.hash == sum {
		if recent.at >= 0 {
			l.passed[recent.at].add(1, a.At, a.At)
			l.counted, l.at = held, recent.at
		}
		return true
	}
	if l.misses++; a.Agreed && l.misses > closeLooks && l.misses%someLooks != 0 {
		return true
	}
	if !l.proofs.has(a.key()) {
		return false
	}
	l.pass(a, sum)
	return true
}

// pass counts scopes with which a request passed. l is locked.
func (l *lesson) pass(a *Answer, sum uint64) {
	at := -1
	if set := sortedSet(a.Held); set != nil {
		at = l.addSuccess(Success{set, 1, a.At, a.At}) // which may clear recent
	}
	l.recent[sum%uint64(len(l.recent))] = recentSet{sum, at}
	if at >= 0 {
		l.counted, l.at = a.Held, at
	}
}

func (p *Success) add(n uint64, first, last time.Time) {
	p.Count, p.First, p.Last = plus(p.Count, n), earlier(p.First, first), later(p.Last, last)
}

// addSuccess counts a set with the smallest one that it includes, and returns where that
// is, -1 if there is no room. Of two sets the smaller one says more.
func (l *lesson) addSuccess(p Success) int {
	for i := range l.passed {
		if includes(p.Held, l.passed[i].Held) {
			l.passed[i].add(p.Count, p.First, p.Last)
			return i
		}
	}
	l.forget() // they may move
	l.passed = slices.DeleteFunc(l.passed, func(larger Success) bool {
		if !includes(larger.Held, p.Held) {
			return false
		}
		p.add(larger.Count, larger.First, larger.Last)
		return true
	})
	if len(l.passed) == maxPassed {
		worst := 0
		for i := range l.passed {
			if len(l.passed[i].Held) > len(l.passed[worst].Held) {
				worst = i
			}
		}
		if len(p.Held) >= len(l.passed[worst].Held) {
			l.drop(p.Held)
			return -1
		}
		l.drop(l.passed[worst].Held)
		l.passed = slices.Delete(l.passed, worst, worst+1)
	}
	l.passed = append(l.passed, p)
	return len(l.passed) - 1
}

// drop notes that there is no room for a set.
func (l *lesson) drop(held []string) {
	if l.row.Permits(held) && !l.row.Doubtful() {
		l.crowded = true
	} else {
		l.cut = true
	}
}

// forget forgets where sets of scopes are counted.
func (l *lesson) forget() {
	l.recent, l.counted = [len(l.recent)]recentSet{}, nil
}

// refuse counts scopes that were named. l is locked.
func (l *lesson) refuse(a *Answer) {
	if held := sortedSet(a.Held); held != nil {
		l.addRefusal(Refusal{a.Named, a.Together, held, 1, a.At, a.At})
	}
}

// addRefusal counts a refusal with those that named the same. Those of tokens that had what
// the row asks for are counted apart: they say that the row asks for too little.
func (l *lesson) addRefusal(r Refusal) {
	enough := l.row.Permits(r.Held)
	for i := range l.refused {
		known := &l.refused[i]
		if known.Together != r.Together || !slices.Equal(known.Named, r.Named) || l.row.Permits(known.Held) != enough {
			continue
		}
		known.Count, known.First, known.Last = plus(known.Count, r.Count), earlier(known.First, r.First), later(known.Last, r.Last)
		if all := union(known.Held, r.Held); l.row.Permits(all) == enough {
			known.Held = all
		}
		return
	}
	if len(l.refused) == maxRefused {
		l.cut = true
		return
	}
	l.refused = append(l.refused, r)
}

// inMS returns a time as it is saved.
func inMS(t time.Time) time.Time { return timeOf(t.UnixMilli()) }

// export returns a copy, and starts over if asked to. There is nothing to copy if it is
// false.
func (l *lesson) export(drain bool) (Lesson, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.agreed == 0 && l.disagreed == 0 {
		return Lesson{}, false
	}
	out := Lesson{Operation: l.row, Agreed: l.agreed, Disagreed: l.disagreed, First: inMS(l.first), Last: inMS(l.last),
		Refused: slices.Clone(l.refused), Passed: slices.Clone(l.passed), Cut: l.cut, Crowded: l.crowded}
	for i := range out.Refused {
		r := &out.Refused[i]
		r.First, r.Last = inMS(r.First), inMS(r.Last)
	}
	for i := range out.Passed {
		p := &out.Passed[i]
		p.First, p.Last = inMS(p.First), inMS(p.Last)
	}
	out.sort()
	if drain {
		l.agreed, l.disagreed, l.cut, l.crowded = 0, 0, false, false
		l.refused, l.passed = nil, nil
		l.misses = 0
		l.forget()
	}
	return out, true
}

func (l *Lesson) sort() {
	slices.SortFunc(l.Refused, func(a, b Refusal) int {
		together := func(r Refusal) int { return map[bool]int{true: 1}[r.Together] }
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Named, b.Named), cmp.Compare(together(a), together(b)), slices.Compare(a.Held, b.Held))
	})
	slices.SortFunc(l.Passed, func(a, b Success) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Held, b.Held))
	})
}
