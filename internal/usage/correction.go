package usage

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/drift"
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
// needed. So are what the row lists and what was named, if the row says of several scopes that
// all of them are needed, or if tokens passed that had both: a refusal may name only what is
// missing. A token that passed with what was named, and without what the row lists, proves
// the contrary. Without refusals, tokens that hold a single scope prove that it is enough,
// and the row keeps what it is not in doubt about. Either way the correction must permit
// every token that passed.
//
// Names that only OAuth access tokens have lead to no correction: a row holds for personal
// access tokens, too, which cannot have them.
func (l *Lesson) Correction() (anyOf []string, ok bool) {
	if l.Disagreed == 0 || l.Cut {
		return nil, false
	}
	if len(l.Refused) > 0 {
		anyOf, ok = l.fromRefusals()
	} else {
		anyOf, ok = l.fromSuccesses()
	}
	o := &l.Operation
	corrected := scopes.Operation{AnyOf: anyOf}
	switch {
	case !ok:
		return nil, false
	case o.Access == scopes.ScopedAccess && !o.Doubtful() && slices.Equal(o.AnyOf, anyOf):
		return nil, false
	case slices.ContainsFunc(l.Passed, func(p Success) bool { return !corrected.Permits(p.Held) }):
		return nil, false
	case l.Crowded && slices.ContainsFunc(o.AnyOf, func(one string) bool { return !corrected.Permits(strings.Split(one, scopes.And)) }):
		return nil, false
	case slices.ContainsFunc(corrected.Scopes(), unfit), slices.ContainsFunc(anyOf, l.half):
		return nil, false
	}
	return anyOf, true
}

// unfit reports whether a row cannot ask for a scope: it is none, or only OAuth access
// tokens have such.
func unfit(scope string) bool { return !drift.IsScope(scope) || strings.ContainsAny(scope, ".:") }

// half reports whether an alternative is only a part of what the row says is needed together,
// and no token passed with so little.
func (l *Lesson) half(alternative string) bool {
	less, o := scopes.Operation{AnyOf: []string{alternative}}, &l.Operation
	return slices.ContainsFunc(o.AnyOf, func(all string) bool {
		return all != alternative && strings.Contains(all, scopes.And) && less.Permits(strings.Split(all, scopes.And))
	}) && !l.passedWithout(&less)
}

// passedWithout reports whether a token passed that had what is needed according to a row, and
// not what it is according to the lesson's.
func (l *Lesson) passedWithout(needs *scopes.Operation) bool {
	return slices.ContainsFunc(l.Passed, func(p Success) bool { return needs.Permits(p.Held) && !l.Operation.Permits(p.Held) })
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
	if l.addsToRow(anyOf) {
		anyOf = both(l.Operation.AnyOf, anyOf)
	}
	tooLong := func(alternative string) bool { return strings.Count(alternative, scopes.And) >= maxTogether }
	return anyOf, len(anyOf) <= maxAlternatives && !slices.ContainsFunc(anyOf, tooLong)
}

// addsToRow reports whether what was named is needed beside what the row lists: a token that
// had that was refused.
func (l *Lesson) addsToRow(named []string) bool {
	o, needs := &l.Operation, scopes.Operation{AnyOf: named}
	had := func(r Refusal) bool { return o.Permits(r.Held) }
	if o.Access != scopes.ScopedAccess || !slices.ContainsFunc(l.Refused, had) || l.passedWithout(&needs) {
		return false
	}
	several := slices.ContainsFunc(o.AnyOf, func(one string) bool { return strings.Contains(one, scopes.And) })
	withBoth := func(p Success) bool { return needs.Permits(p.Held) && o.Permits(p.Held) }
	return several || slices.ContainsFunc(l.Passed, withBoth) && !o.Doubtful()
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

// fromSuccesses returns what the row is not in doubt about, and what is proven beside that.
func (l *Lesson) fromSuccesses() (anyOf []string, ok bool) {
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
	return slices.ContainsFunc(l.Passed, func(p Success) bool { return slices.Equal(p.Held, alone) })
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
