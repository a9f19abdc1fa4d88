package usage

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

const (
	// maxAlternatives limits what a correction may list, and maxTogether the scopes of
	// one alternative. The map itself has no more.
	maxAlternatives = 16
	maxTogether     = 8
)

// Correction returns the any_of list that the lesson's row should have according to the
// workspace. It is false if the answers agree with the row, do not tell what would be
// right, or contradict each other. Alternatives are in the form of
// [scopes.Operation.AnyOf].
//
// A refusal names every scope that is enough, so it replaces what the row lists. Where
// tokens that had what one refusal named were refused naming something else, both are
// needed. Without refusals, tokens that hold a single scope prove that it is enough, and
// the row keeps what it is not in doubt about. Either way the correction must permit
// every token that passed.
func (l *Lesson) Correction() (anyOf []string, ok bool) {
	if l.Disagreed == 0 || l.Cut {
		return nil, false
	}
	if len(l.Refused) > 0 {
		anyOf, ok = l.fromRefusals()
	} else {
		anyOf, ok = l.fromPassages()
	}
	o := &l.Operation
	corrected := scopes.Operation{AnyOf: anyOf}
	switch {
	case !ok:
		return nil, false
	case o.Access == scopes.ScopedAccess && !o.Doubtful() && slices.Equal(o.AnyOf, anyOf):
		return nil, false
	case slices.ContainsFunc(l.Passed, func(p Passage) bool { return !corrected.Permits(p.Held) }):
		return nil, false
	}
	return anyOf, true
}

// fromRefusals returns what satisfies everything that the workspace asked for.
func (l *Lesson) fromRefusals() (anyOf []string, ok bool) {
	all := make([][]string, len(l.Refused))
	for i := range l.Refused {
		all[i] = l.Refused[i].alternatives()
		for j := range i {
			if !slices.Equal(all[i], all[j]) && !l.Refused[i].adds(&l.Refused[j]) && !l.Refused[j].adds(&l.Refused[i]) {
				return nil, false // the workspace asked for one thing, then for another
			}
		}
	}
	anyOf = all[0]
	for _, more := range all[1:] {
		if anyOf = both(anyOf, more); len(anyOf) > maxAlternatives {
			return nil, false
		}
	}
	for _, alternative := range anyOf {
		if strings.Count(alternative, scopes.And) >= maxTogether {
			return nil, false
		}
	}
	return anyOf, true
}

// alternatives returns what satisfies a refusal. Where a token held some of what was
// named, that was not enough, so all of it is needed.
func (r *Refusal) alternatives() []string {
	if r.Together || intersects(r.Held, r.Named) {
		return []string{strings.Join(r.Named, scopes.And)}
	}
	return r.Named
}

// adds reports whether a token that had what another refusal named was refused all the same.
func (r *Refusal) adds(to *Refusal) bool {
	asked := scopes.Operation{AnyOf: to.alternatives()}
	return asked.Permits(r.Held)
}

// fromPassages returns what the row is not in doubt about, and what is proven beside that.
func (l *Lesson) fromPassages() (anyOf []string, ok bool) {
	o := &l.Operation
	for _, alternative := range o.AnyOf {
		if alternative != scopes.AllAPIs && (!o.Doubtful() || l.confirmed(alternative)) {
			anyOf = append(anyOf, alternative)
		}
	}
	for _, p := range l.Passed {
		if len(p.Held) == 1 && !slices.Contains(anyOf, p.Held[0]) {
			anyOf = append(anyOf, p.Held[0])
		}
	}
	anyOf = fewest(anyOf)
	return anyOf, len(anyOf) > 0 && len(anyOf) <= maxAlternatives
}

// confirmed reports whether tokens passed that held nothing but an alternative.
func (l *Lesson) confirmed(alternative string) bool {
	alone := strings.Split(alternative, scopes.And)
	return slices.ContainsFunc(l.Passed, func(p Passage) bool { return slices.Equal(p.Held, alone) })
}

// both returns the alternatives that satisfy two lists.
func both(a, b []string) []string {
	var out []string
	for _, one := range a {
		for _, other := range b {
			out = append(out, conjoin(one, other))
		}
	}
	return fewest(out)
}

// conjoin returns the alternative of all scopes of two. all-apis includes every other one.
func conjoin(a, b string) string {
	if a == scopes.AllAPIs || b == scopes.AllAPIs {
		return scopes.AllAPIs
	}
	together := append(strings.Split(a, scopes.And), strings.Split(b, scopes.And)...)
	slices.Sort(together)
	return strings.Join(slices.Compact(together), scopes.And)
}

// fewest sorts alternatives and leaves out those that need more than another one. It
// leaves out all-apis unless that is the only one, because it is always enough.
func fewest(all []string) []string {
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool {
		if one == scopes.AllAPIs {
			return len(all) > 1
		}
		held := strings.Split(one, scopes.And)
		return slices.ContainsFunc(all, func(other string) bool {
			less := scopes.Operation{AnyOf: []string{other}}
			return other != one && less.Permits(held)
		})
	})
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
