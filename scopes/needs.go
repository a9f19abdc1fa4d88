package scopes

import (
	"slices"
	"strings"
)

// And joins scopes that are needed together into one alternative of AnyOf, as in
// "ai-gateway+unity-catalog". They are sorted.
const And = "+"

// holds reports whether the scopes held include all of an alternative. A token whose
// scope has the text of an alternative does not hold what that stands for.
func holds(held []string, alternative string) bool {
	for {
		scope, rest, more := strings.Cut(alternative, And)
		if !slices.Contains(held, scope) {
			return false
		}
		if !more {
			return true
		}
		alternative = rest
	}
}

// Permits reports whether a token with the scopes held may call o. A public
// operation is always permitted and an account-level one never; [AllAPIs] permits
// all others. An empty list permits public operations only. Databricks lets a
// token that was created without scopes do everything: detect such a token before
// calling Permits.
//
// A doubtful operation is permitted by each of its alternatives, because Databricks
// judges the token again.
func (o *Operation) Permits(held []string) bool { return o.permits(held, false) }

// PermitsStrictly is Permits for scopes that only the gateway enforces: it permits a
// doubtful operation only if all of its alternatives are held.
func (o *Operation) PermitsStrictly(held []string) bool { return o.permits(held, o.Doubtful()) }

func (o *Operation) permits(held []string, all bool) bool {
	switch o.Access {
	case Public:
		return true
	case AccountOnly:
		return false
	case AnyScope:
		return len(held) > 0
	}
	if slices.Contains(held, AllAPIs) {
		return true
	}
	for _, alternative := range o.AnyOf {
		if holds(held, alternative) != all {
			return !all
		}
	}
	return all && len(o.AnyOf) > 0
}

// Doubtful reports whether o lists several alternatives of which only one is right, and
// it is not known which: several, and neither a page nor a refusal says so.
func (o *Operation) Doubtful() bool {
	return len(o.AnyOf) > 1 && (o.Evidence == Inferred || o.Evidence == Sibling)
}

// Scopes returns every scope in AnyOf once, sorted. The caller must not modify the list.
func (o *Operation) Scopes() []string {
	if !slices.ContainsFunc(o.AnyOf, isCompound) {
		return o.AnyOf
	}
	all := strings.Split(strings.Join(o.AnyOf, And), And)
	slices.Sort(all)
	return slices.Compact(all)
}

func isCompound(alternative string) bool { return strings.Contains(alternative, And) }

// agrees reports whether o and p need the same scopes.
func (o *Operation) agrees(p *Operation) bool {
	return o.Access == p.Access && o.Optional == p.Optional && slices.Equal(o.AnyOf, p.AnyOf)
}

// narrow makes o need what a request needs that could be any of the operations: a
// token must be permitted to call all of them. Account-level overrides everything,
// a scope overrides "any scope", and that overrides public. Of alternatives, those stay
// that satisfy all operations; if there are none, only all-apis does.
func (o *Operation) narrow(ops []*Operation) {
	access, anyOf, optional, doubtful := Public, []string(nil), true, false
	for _, op := range ops {
		optional = optional && op.Optional
		doubtful = doubtful || op.Doubtful()
		switch op.Access {
		case AccountOnly:
			o.Access, o.AnyOf, o.Optional = AccountOnly, nil, false
			return
		case ScopedAccess:
			if access != ScopedAccess {
				access, anyOf = ScopedAccess, slices.Clone(op.AnyOf)
				continue
			}
			anyOf = satisfyBoth(anyOf, op.AnyOf)
		case AnyScope:
			if access == Public {
				access = AnyScope
			}
		}
	}
	o.Access, o.AnyOf, o.Optional = access, anyOf, optional
	if doubtful && len(anyOf) > 1 {
		o.Evidence = Inferred
	}
}

// satisfyBoth returns the alternatives of two lists that satisfy both.
func satisfyBoth(a, b []string) []string {
	both := slices.Concat(a, b)
	slices.Sort(both)
	both = slices.DeleteFunc(slices.Compact(both), func(alternative string) bool {
		satisfies := func(other string) bool { return implies(alternative, other) }
		return alternative == AllAPIs || !slices.ContainsFunc(a, satisfies) || !slices.ContainsFunc(b, satisfies)
	})
	both = slices.DeleteFunc(slices.Clone(both), func(alternative string) bool {
		return slices.ContainsFunc(both, func(other string) bool { return other != alternative && implies(alternative, other) })
	})
	if len(both) == 0 {
		return []string{AllAPIs}
	}
	return both
}

// implies reports whether a token that holds all of one alternative holds all of another.
func implies(one, other string) bool { return holds(strings.Split(one, And), other) }
