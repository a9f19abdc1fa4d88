package usage

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/scopegate/scopegate/internal/drift"
	"github.com/scopegate/scopegate/scopes"
)

// lessons are what answers taught since the last drain, by row.
type lessons struct {
	known sync.Map // *scopes.Operation → *lesson
	n     atomic.Int64

	mu  sync.Mutex
	all map[handle]*lesson
}

// of returns the lesson of a row, nil if there are too many.
func (ls *lessons) of(handles *handles, o *scopes.Operation) *lesson {
	if found, ok := ls.known.Load(o); ok {
		return found.(*lesson)
	}
	l := ls.add(handles.of(o))
	if l == nil {
		return nil
	}
	if ls.n.Add(1) > maxKnown {
		ls.known.Clear()
		ls.n.Store(1)
	}
	ls.known.Store(o, l)
	return l
}

func (ls *lessons) add(id handle) *lesson {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[id]
	if l == nil && len(ls.all) < maxLessons {
		l = &lesson{id: id, row: id.Value().operation()}
		if ls.all == nil {
			ls.all = make(map[handle]*lesson)
		}
		ls.all[id] = l
	}
	return l
}

// export returns copies of all lessons, and makes them start over if asked to.
func (ls *lessons) export(drain bool) []Lesson {
	ls.mu.Lock()
	all := make([]*lesson, 0, len(ls.all))
	for _, l := range ls.all {
		all = append(all, l)
	}
	ls.mu.Unlock()
	var out []Lesson
	for _, l := range all {
		if lesson, ok := l.export(drain); ok {
			out = append(out, lesson)
		}
	}
	slices.SortFunc(out, compareLessons)
	return out
}

// merge adds lessons of another recorder.
func (ls *lessons) merge(all []Lesson) {
	for i := range all {
		from := &all[i]
		l := ls.add(handleOf(&from.Operation))
		if l == nil {
			continue
		}
		l.mu.Lock()
		l.span(from.First, from.Last)
		l.agreed, l.disagreed = plus(l.agreed, from.Agreed), plus(l.disagreed, from.Disagreed)
		l.cut, l.crowded = l.cut || from.Cut, l.crowded || from.Crowded
		for _, r := range from.Refused {
			l.addRefusal(r)
		}
		for _, p := range from.Passed {
			l.addSuccess(p)
		}
		l.mu.Unlock()
	}
}

// sortedSet returns a sorted copy of a token's scopes, nil if they cannot be used.
func sortedSet(held []string) []string {
	if len(held) == 0 || len(held) > maxHeld || slices.ContainsFunc(held, func(s string) bool { return !drift.IsScope(s) }) {
		return nil
	}
	set := slices.Clone(held)
	slices.Sort(set)
	return slices.Compact(set)
}

// union returns the scopes of two sorted sets, at most as many as a set may have.
func union(a, b []string) []string {
	if includes(a, b) {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxHeld)]
}

// includes reports whether a sorted set has all of another.
func includes(set, some []string) bool {
	for _, s := range some {
		if _, ok := slices.BinarySearch(set, s); !ok {
			return false
		}
	}
	return true
}
