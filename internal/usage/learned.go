package usage

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scopegate/scopegate/internal/drift"
	"github.com/scopegate/scopegate/scopes"
)

// Learned is what refusals of the workspace said that rows of the map permit beside what
// they list. It only ever permits more, and only for rows that have not changed since. It
// is safe for concurrent use.
type Learned struct {
	mu   sync.Mutex
	rows sync.Map // handle → []string, alternatives
	some atomic.Bool
}

// Permits reports whether a token with the scopes held may call an operation according to
// the workspace. It is about scopes that the workspace judges again, and never about those
// of a policy.
func (l *Learned) Permits(o *scopes.Operation, held []string) bool {
	more := scopes.Operation{AnyOf: l.of(o)}
	return len(more.AnyOf) > 0 && more.Permits(held)
}

// of returns the alternatives that are permitted beside those of a row.
func (l *Learned) of(o *scopes.Operation) []string {
	if !l.some.Load() {
		return nil
	}
	found, _ := l.rows.Load(handleOf(o))
	alternatives, _ := found.([]string)
	return alternatives
}

// learn takes over what an answer says that disagrees.
func (l *Learned) learn(a *Answer) {
	if len(a.Named) > 0 {
		l.add(a.Operation, Refusal{Named: a.Named, Together: a.Together, Held: a.Held})
	}
}

// recall takes over what lessons say, except for refusals that agree with the row.
func (l *Learned) recall(all []Lesson) {
	for i := range all {
		o := &all[i].Operation
		for _, r := range all[i].Refused {
			if drift.Refused(o, r.Held, drift.Named{Scopes: r.Named, Together: r.Together}) == drift.Disagreed {
				l.add(o, r)
			}
		}
	}
}

// add takes over what a refusal names. Where a token held a part of that, the rest was
// needed too, and naming it opens nothing by itself.
func (l *Learned) add(o *scopes.Operation, r Refusal) {
	more := r.Named
	switch {
	case r.Together:
		more = []string{strings.Join(r.Named, scopes.And)}
	case intersects(r.Held, r.Named):
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := handleOf(o)
	known, _ := l.rows.Load(id)
	all, _ := known.([]string)
	all = append(slices.Clone(all), more...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) <= maxAlternatives {
		l.rows.Store(id, all)
		l.some.Store(true)
	}
}
