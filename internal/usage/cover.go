package usage

import (
	"slices"
	"sync"

	"github.com/scopegate/scopegate/scopes"
)

// choice are the scopes to choose from, and which of them to prefer. The zero
// value allows any scope that an operation accepts.
type choice struct {
	// Only, if it is not nil, are the scopes that may be chosen.
	Only []string
	// Held are the scopes that the token holds. Among covers of the same size the
	// one with most of them wins.
	Held []string
	// Breadth tells how much a scope permits, see breadthOf. Among covers that are
	// equal so far the narrowest wins. Nil means that of the shipped catalogue.
	Breadth map[string]int
}

// coverage is the smallest set of scopes for a set of operations.
type coverage struct {
	// Scopes are sorted. They are all-apis alone where that cannot be avoided.
	Scopes []string
	// Because are the operations that nothing but all-apis permits. Where there are
	// any, Otherwise is the cover of all the others.
	Because   []scopes.Operation
	Otherwise []string
	// Impossible are account-level operations: no token can call them.
	Impossible []scopes.Operation
	// Uncovered are operations that none of choice.Only permits.
	Uncovered []scopes.Operation
	// Greedy means that the set may not be the smallest: there were more than 64
	// scopes to choose from, or the search ran into its step limit.
	Greedy bool
}

// AllAPIs reports whether all-apis cannot be avoided.
func (c *coverage) AllAPIs() bool { return len(c.Because) > 0 }

// coverOf returns the smallest set of scopes with which a token may call all of the
// operations. Each accepts any one of several scopes, so this is a minimum set
// cover, and it is solved exactly.
//
// Of several smallest sets, the one with the most scopes that the token holds
// already wins, then the narrowest one, then the first by alphabet: the answer
// depends on nothing but the arguments, and not on their order. All-apis is chosen
// only for operations that nothing else permits. Operations that are content with
// any scope add one only when nothing else does; public ones need none.
func coverOf(operations []scopes.Operation, candidates choice) coverage {
	var out coverage
	var needs [][]string
	var content []scopes.Operation // with any scope
	may := func(scope string) bool { return candidates.Only == nil || slices.Contains(candidates.Only, scope) }
	for i := range operations {
		o := &operations[i]
		switch o.Access {
		case scopes.Public:
		case scopes.AccountOnly:
			out.Impossible = append(out.Impossible, *o)
		case scopes.AnyScope:
			content = append(content, *o)
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
	if len(content) > 0 && len(out.Scopes) == 0 {
		if one := candidates.any(); one != "" {
			out.Scopes = []string{one}
		} else if may(scopes.AllAPIs) && candidates.Only != nil {
			out.Because, out.Scopes = content, []string{scopes.AllAPIs}
		} else {
			out.Uncovered = append(out.Uncovered, content...)
		}
	}
	return out
}

// any returns the scope to hold when any will do, and "" where there is none but
// all-apis.
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

// openEnded is how many operations a row counts for that stands for no one knows
// how many: one for all methods, or for all paths below a prefix.
const openEnded = 10

// breadthOf returns how many operations of a catalogue each scope permits. A row for
// all methods or all paths below a prefix counts as ten. All-apis is left out: it
// permits everything.
func breadthOf(catalogue []scopes.Operation) map[string]int {
	breadth := make(map[string]int)
	for i := range catalogue {
		o := &catalogue[i]
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

// without returns the members of s that are not one of others, sorted and each
// once.
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
