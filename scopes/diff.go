package scopes

import "slices"

// Change is what became of one operation between two catalogues. Old is nil for
// an operation that was added, New for one that was removed.
type Change struct{ Old, New *Operation }

// Diff returns what changed for requests between two lists of rows: operations
// that were added or removed, and those that ask for something else. Other
// evidence or another source for the same answer is no change. The order is that
// of the catalogue.
func Diff(before, after []Operation) []Change {
	type place struct{ method, template string }
	old := make(map[place]*Operation, len(before))
	for i := range before {
		old[place{before[i].Method, before[i].Template}] = &before[i]
	}
	var changes []Change
	for i := range after {
		now := &after[i]
		was := old[place{now.Method, now.Template}]
		delete(old, place{now.Method, now.Template})
		if was == nil || !was.agrees(now) {
			changes = append(changes, Change{was, now})
		}
	}
	for i := range before {
		if _, removed := old[place{before[i].Method, before[i].Template}]; removed {
			changes = append(changes, Change{Old: &before[i]})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return Compare(*a.either(), *b.either()) })
	return changes
}

func (c Change) either() *Operation {
	if c.New != nil {
		return c.New
	}
	return c.Old
}
