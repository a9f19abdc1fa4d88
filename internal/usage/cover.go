package usage

import (
	"slices"
	"sync"

	"github.com/scopegate/scopegate/scopes"
)

// choice says which scopes may be chosen and which are preferred. The zero value allows
// any scope that an operation accepts.
type choice struct {
	// Only lists the scopes that may be chosen; nil allows all.
	Only []string
	// Held lists the scopes that the token holds. Among covers of equal size, the one
	// with the most of them wins.
	Held []string
	// Breadth says how much each scope permits, see breadthOf; the default is that of
	// the shipped catalog. Among covers that are still equal, the narrowest wins.
	Breadth map[string]int
}

// coverage is the smallest set of scopes for a set of operations.
type coverage struct {
	// Scopes is sorted. It is all-apis alone if that cannot be avoided.
	Scopes []string
	// Because lists the operations that only all-apis permits. If there are any,
	// Otherwise is the cover of the others.
	Because   []scopes.Operation
	Otherwise []string
	// Impossible lists account-level operations, which no token can call.
	Impossible []scopes.Operation
	// Uncovered lists operations that choice.Only does not permit.
	Uncovered []scopes.Operation
	// Greedy means that the set may not be the smallest: there were more than 64
	// scopes to choose from, or the search ran into its step limit.
	Greedy bool
}

// AllAPIs reports whether all-apis cannot be avoided.
func (c *coverage) AllAPIs() bool { return len(c.Because) > 0 }

// coverOf returns the smallest set of scopes that permits all of the operations. Each
// operation accepts any one of several scopes, so this is a minimum set cover, and it
// is solved exactly.
//
// Of several smallest sets, the one with the most scopes that the token already holds
// wins, then the narrowest, then the alphabetically first: the result does not depend
// on the order of the arguments. All-apis is chosen only for operations that nothing
// else permits. Operations that accept any scope add one only if there is no other;
// public ones need none.
func coverOf(operations []scopes.Operation, candidates choice) coverage {
	var out coverage
	var needs [][]string
	var anyScope []scopes.Operation
	may := func(scope string) bool { return candidates.Only == nil || slices.Contains(candidates.Only, scope) }
	for i := range operations {
		o := &operations[i]
		switch o.Access {
		case scopes.Public:
		case scopes.AccountOnly:
			out.Impossible = append(out.Impossible, *o)
		case scopes.AnyScope:
			anyScope = append(anyScope, *o)
		default:
			var need []string
			for _, scope := range o.AnyOf {
				if scope != scopes.AllAPIs && may(scope) {
					need = append(need, scope)
				}
			}
			switch {
			case len(need) > 0:
				needs = append(needs, need)
			case may(scopes.AllAPIs):
				out.Because = append(out.Because, *o)
			default:
				out.Uncovered = append(out.Uncovered, *o)
			}
		}
	}
	if candidates.Breadth == nil {
		candidates.Breadth = shippedBreadth()
	}
	out.Scopes, out.Greedy = smallest(needs, candidates)
	if out.AllAPIs() {
		out.Scopes, out.Otherwise = []string{scopes.AllAPIs}, out.Scopes
	}
	if len(anyScope) > 0 && len(out.Scopes) == 0 {
		if one := candidates.any(); one != "" {
			out.Scopes = []string{one}
		} else if may(scopes.AllAPIs) && candidates.Only != nil {
			out.Because, out.Scopes = anyScope, []string{scopes.AllAPIs}
		} else {
			out.Uncovered = append(out.Uncovered, anyScope...)
		}
	}
	return out
}

// any returns the scope to hold if any is enough, and "" if there is only all-apis.
func (c *choice) any() string {
	from := c.Only
	if from == nil {
		if from = slices.Clone(c.Held); len(without(from, scopes.AllAPIs)) == 0 {
			for scope := range c.Breadth {
				from = append(from, scope)
			}
		}
	}
	from = without(from, scopes.AllAPIs)
	if len(from) == 0 {
		return ""
	}
	one, _ := smallest([][]string{from}, *c)
	return one[0]
}

// openEnded is how many operations a row counts for if it stands for an unknown number:
// all methods, or all paths below a prefix.
const openEnded = 10

// breadthOf returns how many operations of a catalog each scope permits. All-apis is
// left out: it permits everything.
func breadthOf(catalog []scopes.Operation) map[string]int {
	breadth := make(map[string]int)
	for i := range catalog {
		o := &catalog[i]
		weight := 1
		if t := o.Template; o.Method == "*" || len(t) > 0 && t[len(t)-1] == '*' || len(t) > 4 && t[len(t)-4:] == "...}" {
			weight = openEnded
		}
		for _, scope := range o.AnyOf {
			if scope != scopes.AllAPIs {
				breadth[scope] += weight
			}
		}
	}
	return breadth
}

var shippedBreadth = sync.OnceValue(func() map[string]int { return breadthOf(scopes.Default().Operations()) })

// without returns the members of s that are not in others, sorted and without
// duplicates.
func without(s []string, others ...string) []string {
	out := make([]string, 0, len(s))
	for _, member := range s {
		if !slices.Contains(others, member) {
			out = append(out, member)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
