package scopes

import "slices"

// Change is the difference in one operation between two catalogs. Old is nil if
// the operation was added, New is nil if it was removed.
type Change struct{ Old, New *Operation }

// Diff returns what changed for requests between two lists of rows: operations
// that were added, removed, need different scopes, or read in one list and write in the
// other. A row whose evidence, name or source alone differs has not changed, and one that
// is [Unclassed] in a list is not compared in that. The result is sorted as by [Compare]
// and points into both lists.
func Diff(before, after []Operation) []Change {
	type route struct{ method, template string }
	old := make(map[route]*Operation, len(before))
	for i := range before {
		old[route{before[i].Method, before[i].Template}] = &before[i]
	}
	var changes []Change
	for i := range after {
		now := &after[i]
		was := old[route{now.Method, now.Template}]
		delete(old, route{now.Method, now.Template})
		if was == nil || !was.agrees(now) || was.Effect != now.Effect && was.Effect != Unclassed && now.Effect != Unclassed {
			changes = append(changes, Change{was, now})
		}
	}
	for i := range before {
		if _, removed := old[route{before[i].Method, before[i].Template}]; removed {
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
