package usage

import (
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/internal/drift"
	"github.com/scopegate/scopegate/scopes"
)

// lessonRow is the stored form of a [Lesson]. Versions before it ignore lessons.
type lessonRow struct {
	Operation int          `json:"op"` // index in the snapshot's operations
	Agreed    uint64       `json:"agreed,omitempty"`
	Disagreed uint64       `json:"disagreed,omitempty"`
	First     int64        `json:"first"`
	Last      int64        `json:"last"`
	Refused   []refusalRow `json:"refused,omitempty"`
	Passed    []successRow `json:"passed,omitempty"`
	Cut       bool         `json:"cut,omitempty"`
	Crowded   bool         `json:"crowded,omitempty"`
}

type refusalRow struct {
	Named    []string `json:"named"`
	Together bool     `json:"together,omitempty"`
	successRow
}

type successRow struct {
	Held  []string `json:"held"`
	Count uint64   `json:"count"`
	First int64    `json:"first"`
	Last  int64    `json:"last"`
}

func lessonRowOf(l *Lesson, operation int) lessonRow {
	row := lessonRow{Operation: operation, Agreed: l.Agreed, Disagreed: l.Disagreed, First: l.First.UnixMilli(), Last: l.Last.UnixMilli(), Cut: l.Cut, Crowded: l.Crowded}
	for _, r := range l.Refused {
		row.Refused = append(row.Refused, refusalRow{r.Named, r.Together, successRow{r.Held, r.Count, r.First.UnixMilli(), r.Last.UnixMilli()}})
	}
	for _, p := range l.Passed {
		row.Passed = append(row.Passed, successRow{p.Held, p.Count, p.First.UnixMilli(), p.Last.UnixMilli()})
	}
	return row
}

// lessonsOf checks lessons and translates them.
func lessonsOf(rows []lessonRow, operations []scopes.Operation) ([]Lesson, error) {
	if len(rows) > maxLessons {
		return nil, fmt.Errorf("it has more than %d lessons", maxLessons)
	}
	all := make([]Lesson, 0, len(rows))
	seen := make(map[handle]bool, len(rows))
	for i := range rows {
		l, err := rows[i].lesson(operations)
		if err == nil && seen[handleOf(&l.Operation)] {
			err = errors.New("it is a duplicate")
		}
		if err != nil {
			return nil, fmt.Errorf("lesson %d: %w", i, err)
		}
		seen[handleOf(&l.Operation)] = true
		all = append(all, l)
	}
	var learned lessons // in the form that a recorder returns
	learned.merge(all)
	return learned.export(false), nil
}

func (r *lessonRow) lesson(operations []scopes.Operation) (Lesson, error) {
	switch {
	case r.Operation < 0 || r.Operation >= len(operations):
		return Lesson{}, errors.New("it refers to an operation that does not exist")
	case len(r.Refused) > maxRefused || len(r.Passed) > maxPassed:
		return Lesson{}, errors.New("its lists are too long")
	}
	l := Lesson{Operation: operations[r.Operation], Agreed: r.Agreed, Disagreed: r.Disagreed, First: timeOf(r.First), Last: timeOf(r.Last), Cut: r.Cut, Crowded: r.Crowded}
	err := errors.Join(checkCounts(r.Agreed, r.Disagreed), checkTime(r.First), checkTime(r.Last))
	for _, p := range r.Refused {
		err = errors.Join(err, p.check(), checkSet(p.Named, maxTogether))
		l.Refused = append(l.Refused, Refusal{p.Named, p.Together, p.Held, p.Count, timeOf(p.First), timeOf(p.Last)})
	}
	for _, p := range r.Passed {
		err = errors.Join(err, p.check())
		l.Passed = append(l.Passed, Success{p.Held, p.Count, timeOf(p.First), timeOf(p.Last)})
	}
	return l, err
}

func (r *successRow) check() error {
	return errors.Join(checkCounts(r.Count), checkTime(r.First), checkTime(r.Last), checkSet(r.Held, maxHeld))
}

// checkSet refuses what no refusal and no token has.
func checkSet(set []string, most int) error {
	for i, scope := range set {
		if !drift.IsScope(scope) || i > 0 && set[i-1] >= scope {
			return errors.New("it has a set of scopes that is not one")
		}
	}
	if len(set) == 0 || len(set) > most {
		return errors.New("it has a set of scopes of a wrong size")
	}
	return nil
}
