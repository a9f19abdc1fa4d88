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
// judges the token again. A part of a scope, such as "clusters:read", permits what
// [Databricks says of it].
//
// [Databricks says of it]: https://docs.databricks.com/aws/en/dev-tools/auth/scope-modifiers
func (o *Operation) Permits(held []string) bool {
	return o.permits(held, o.AnyOf) || o.permitsModified(held)
}

// PermitsStrictly is Permits for scopes that only the gateway enforces, such as those of a
// policy: they must include one of the alternatives of [Operation.Strict].
func (o *Operation) PermitsStrictly(held []string) bool { return o.permits(held, o.Strict()) }

// Strict returns the alternatives that permit o beyond doubt: those of AnyOf or, where it is
// not known which of them is right, all of them together. The caller must not modify the
// list.
func (o *Operation) Strict() []string {
	switch {
	case o.strict != nil:
		return o.strict
	case !o.Doubtful():
		return o.AnyOf
	}
	all := o.Scopes()
	if slices.Contains(all, AllAPIs) {
		return []string{AllAPIs}
	}
	return []string{strings.Join(all, And)}
}

func (o *Operation) permits(held, anyOf []string) bool {
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
	for _, alternative := range anyOf {
		if holds(held, alternative) {
			return true
		}
	}
	return false
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
// that satisfy all operations; if there are none, only all-apis does. The doubt about one of
// them stays, however few alternatives do.
func (o *Operation) narrow(ops []*Operation) {
	access, optional, doubtful := Public, true, false
	var anyOf, strict []string
	for _, op := range ops {
		optional = optional && op.Optional
		doubtful = doubtful || op.Doubtful() || op.strict != nil
		switch op.Access {
		case AccountOnly:
			o.Access, o.AnyOf, o.strict, o.Optional = AccountOnly, nil, nil, false
			return
		case ScopedAccess:
			if access != ScopedAccess {
				access, anyOf, strict = ScopedAccess, slices.Clone(op.AnyOf), op.Strict()
				continue
			}
			anyOf, strict = satisfyBoth(anyOf, op.AnyOf), satisfyBoth(strict, op.Strict())
		case AnyScope:
			if access == Public {
				access = AnyScope
			}
		}
	}
	o.Access, o.AnyOf, o.strict, o.Optional = access, anyOf, nil, optional
	if !doubtful {
		return
	}
	o.strict = strict
	if len(anyOf) > 1 {
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
