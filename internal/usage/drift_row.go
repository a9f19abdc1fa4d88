package usage

import (
	"maps"
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// NewDrift compares what was learned with the rows in force.
func NewDrift(lessons []Lesson, inForce *scopes.Catalog, now time.Time) Drift {
	d := Drift{At: now, Shipped: scopes.Default().Version(), Rows: []DriftRow{}}
	rows, shipped := rowsOf(inForce), rowsOf(scopes.Default())
	about := make(map[string][]*Lesson) // by row
	for i := range lessons {
		l := &lessons[i]
		d.Agreed, d.Disagreed = plus(d.Agreed, l.Agreed), plus(d.Disagreed, l.Disagreed)
		about[rowKey(&l.Operation)] = append(about[rowKey(&l.Operation)], l)
	}
	d.Operations = len(about)
	for key, lessons := range about {
		row := newDriftRow(lessons, rows[key], func(name string) *Lesson { return elsewhere(about, rows, key, name) })
		if ships := shipped[key]; ships != nil {
			row.ShippedNeeds = ships.Needs()
		}
		d.Rows = append(d.Rows, row)
	}
	d.sort()
	return d
}

// elsewhere returns what was learned about the other rows in force of an operation, nil for
// nothing. A row of a routes file holds for all of them.
func elsewhere(about map[string][]*Lesson, rows map[string]*scopes.Operation, key, name string) (other *Lesson) {
	for _, k := range slices.Sorted(maps.Keys(about)) {
		row := rows[k]
		if k == key || row == nil || row.Name != name {
			continue
		}
		for _, l := range about[k] {
			if sameRow(&l.Operation, row) {
				other = joined(other, l)
			}
		}
	}
	return other
}

// newDriftRow says what follows from lessons about a row in force, which is nil if there is
// none. A lesson about a row that was in force before is evidence as well, and so is what
// was learned about other rows of an operation.
func newDriftRow(lessons []*Lesson, inForce *scopes.Operation, elsewhere func(name string) *Lesson) DriftRow {
	row := DriftRow{State: DriftConfirmed, Named: []string{}}
	about := inForce
	if about == nil {
		about = &lessons[0].Operation
	}
	row.Operation, row.Method, row.Template = about.Name, about.Method, about.Template
	row.Needs, row.Evidence = about.Needs(), about.Evidence
	var current, before, former *Lesson // the last one is of the answers that came last
	for _, l := range lessons {
		row.count(l)
		switch {
		case sameRow(&l.Operation, about):
			current = joined(current, l)
			continue
		case l.Disagreed > 0 && (former == nil || l.Last.After(former.Last)):
			former = l
		}
		before = joined(before, l)
	}
	switch {
	case inForce == nil && !about.Unmapped() && row.Disagreed > 0:
		row.undecided("the map has no such row any more")
	case current != nil && current.Disagreed > 0:
		row.decideFrom(current, before, elsewhere(about.Name), about)
	case former != nil && current != nil:
		row.State, row.Correction = DriftCorrected, row.Needs
	case former != nil:
		row.decide(former, about)
	}
	return row
}

// count adds what a lesson counts.
func (r *DriftRow) count(l *Lesson) {
	r.Agreed, r.Disagreed = plus(r.Agreed, l.Agreed), plus(r.Disagreed, l.Disagreed)
	for i := range l.Refused {
		r.Named = without(append(r.Named, l.Refused[i].Named...))
	}
	if r.First.IsZero() || l.First.Before(r.First) {
		r.First = l.First
	}
	if l.Last.After(r.Last) {
		r.Last = l.Last
	}
}

// decideFrom says what follows for a row from a lesson about it, from those about what was
// in force before, and from those about other rows of its operation. The workspace may have
// changed since the former ones, so they count only if they fit.
func (r *DriftRow) decideFrom(current, before, other *Lesson, inForce *scopes.Operation) {
	all := joined(current, other)
	if before != nil {
		if r.decide(joined(all, before), inForce); r.State == DriftWrong {
			return
		}
	}
	if r.decide(all, inForce); r.State == DriftWrong || other == nil {
		return
	}
	if r.decide(current, inForce); r.State == DriftWrong {
		r.undecided("the workspace treats the paths of this operation differently, and a row holds for all of them")
	}
}

// decide says what follows for a row from a lesson with disagreements.
func (r *DriftRow) decide(l *Lesson, inForce *scopes.Operation) {
	anyOf, ok := l.Correction()
	right := scopes.Operation{AnyOf: anyOf, Optional: inForce.Optional}
	switch {
	case inForce.Unmapped():
		r.undecided("the calls were of paths that the map does not have, and paths are not kept; find them in the audit records of the operation " + inForce.Name)
	case l.Cut:
		r.undecided("there were more different answers than are kept")
	case !ok:
		r.undecided("the answers contradict each other, or do not say what is enough; more calls, best by tokens with a single scope in mode observe, would tell")
	case right.Needs() == r.Needs && !inForce.Doubtful():
		r.State, r.Correction, r.Problem = DriftCorrected, r.Needs, ""
	default:
		r.State, r.Correction, r.Problem = DriftWrong, right.Needs(), ""
	}
}

func (r *DriftRow) undecided(problem string) {
	r.State, r.Correction, r.Problem = DriftUndecided, "", problem
}

// sameRow reports whether two rows ask for the same, and are as sure of it.
func sameRow(a, b *scopes.Operation) bool {
	return a.Needs() == b.Needs() && a.Doubtful() == b.Doubtful()
}

// joined returns what two lessons about rows with the same needs say. One may be nil.
func joined(a, b *Lesson) *Lesson {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &Lesson{
		Operation: a.Operation, Agreed: plus(a.Agreed, b.Agreed), Disagreed: plus(a.Disagreed, b.Disagreed),
		Refused: slices.Concat(a.Refused, b.Refused), Passed: slices.Concat(a.Passed, b.Passed), Cut: a.Cut || b.Cut, Crowded: a.Crowded || b.Crowded,
	}
}

// rowKey is equal for rows that stand for the same requests. Paths that no row has may
// still be spellings of a row's operation, and have its method and template then.
func rowKey(o *scopes.Operation) string {
	key := o.Method + " " + o.Template
	if o.Unmapped() {
		key += " (spelled otherwise)"
	}
	return key
}

func rowsOf(c *scopes.Catalog) map[string]*scopes.Operation {
	all := c.Operations()
	rows := make(map[string]*scopes.Operation, len(all))
	for i := range all {
		rows[rowKey(&all[i])] = &all[i]
	}
	return rows
}
