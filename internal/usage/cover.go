package usage

import (
	"slices"
	"strings"
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
	// Strict asks for all alternatives of a doubtful operation that may be chosen: which of
	// them works is not known, so none may be taken away.
	Strict bool
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
// operation accepts any one of several alternatives, so this is a minimum set cover, and it
// is solved exactly. Optional operations need nothing.
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
	for i := range operations {
		o := &operations[i]
		switch {
		case o.Access == scopes.Public, o.Optional:
		case o.Access == scopes.AccountOnly:
			out.Impossible = append(out.Impossible, *o)
		case o.Access == scopes.AnyScope:
			anyScope = append(anyScope, *o)
		default:
			switch need := candidates.needsOf(o); {
			case len(need) > 0:
				needs = append(needs, need...)
			case candidates.may(scopes.AllAPIs):
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
		} else if candidates.may(scopes.AllAPIs) && candidates.Only != nil {
			out.Because, out.Scopes = anyScope, []string{scopes.AllAPIs}
		} else {
			out.Uncovered = append(out.Uncovered, anyScope...)
		}
	}
	return out
}

// may reports whether a scope may be chosen.
func (c *choice) may(scope string) bool { return c.Only == nil || slices.Contains(c.Only, scope) }

// needsOf returns lists of scopes: the operation is permitted by sets that have a member of
// each. There are none if only all-apis permits it.
func (c *choice) needsOf(o *scopes.Operation) (needs [][]string) {
	var alternatives [][]string
	for _, alternative := range o.AnyOf {
		together := strings.Split(alternative, scopes.And)
		if alternative != scopes.AllAPIs && !slices.ContainsFunc(together, func(s string) bool { return !c.may(s) }) {
			alternatives = append(alternatives, together)
		}
	}
	if c.Strict && o.Doubtful() {
		alternatives = [][]string{slices.Concat(alternatives...)}
	}
	if len(alternatives) == 0 || len(alternatives[0]) == 0 {
		return nil
	}
	// A set has all of one alternative if it has one of each way to take a scope from
	// every alternative.
	needs = [][]string{nil}
	for _, together := range alternatives {
		var longer [][]string
		for _, need := range needs {
			for _, scope := range together {
				longer = append(longer, append(slices.Clone(need), scope))
			}
		}
		if len(longer) > maxWays {
			break // more is asked for than is needed, of a row that no one writes
		}
		needs = longer
	}
	return needs
}

// maxWays bounds how much one operation adds to a search.
const maxWays = 256

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
		for _, scope := range o.Scopes() {
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
