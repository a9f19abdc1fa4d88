package usage

import (
	"maps"
	"math/bits"
	"slices"
)

const (
	// maxScopes is how many scopes fit the exact solver, and maxNeeds how many
	// different needs. Databricks has 55 scopes, and its whole catalogue has some
	// 60 different needs.
	maxScopes = 64
	maxNeeds  = 4096
	// maxSteps bounds the search, in needs looked at: about 50 ms. Real sets take a
	// few hundred.
	maxSteps = 20_000_000
)

// The weight of a scope orders sets by size first, then by how many of their scopes
// the token does not hold, then by breadth. None of 64 scopes can spill over.
const (
	perScope   = 1 << 40
	perNotHeld = 1 << 30
	maxBreadth = 1 << 20
)

// smallest returns the best set of scopes that meets every need: one that has a
// member of each. Needs must not be empty. The second result tells that the set may
// be larger than it must.
func smallest(needs [][]string, c Candidates) (set []string, greedy bool) {
	if len(needs) == 0 {
		return nil, false
	}
	needs, forced := settle(needs)
	if len(needs) > 0 {
		names := make(map[string]bool)
		for _, need := range needs {
			for _, scope := range need {
				names[scope] = true
			}
		}
		p := newProblem(slices.Sorted(maps.Keys(names)), c)
		if len(p.names) > maxScopes || len(needs) > maxNeeds {
			set, greedy = p.greedy(needs), true
		} else {
			set, greedy = p.exact(needs)
		}
	}
	set = append(set, forced...)
	slices.Sort(set)
	return set, greedy
}

// settle takes out what leaves no choice: needs with one scope, and all that these
// scopes meet. What is left has no need twice.
func settle(needs [][]string) (open [][]string, forced []string) {
	must := make(map[string]bool)
	for _, need := range needs {
		if need = slices.Compact(slices.Sorted(slices.Values(need))); len(need) == 1 {
			must[need[0]] = true
		}
	}
	seen := make(map[string]bool)
	for _, need := range needs {
		if slices.ContainsFunc(need, func(scope string) bool { return must[scope] }) {
			continue
		}
		need = slices.Compact(slices.Sorted(slices.Values(need)))
		key := ""
		for _, scope := range need {
			key += scope + "\x00"
		}
		if !seen[key] {
			seen[key] = true
			open = append(open, need)
		}
	}
	return open, slices.Sorted(maps.Keys(must))
}

// problem is a set cover whose scopes are numbers. They are numbered by alphabet.
type problem struct {
	names  []string
	weight []int64
}

func newProblem(names []string, c Candidates) *problem {
	p := &problem{names, make([]int64, len(names))}
	for i, name := range names {
		p.weight[i] = perScope + int64(min(max(0, c.Breadth[name]), maxBreadth-1))
		if !slices.Contains(c.Held, name) {
			p.weight[i] += perNotHeld
		}
	}
	return p
}

// exact solves the problem with the needs as bit masks.
func (p *problem) exact(needs [][]string) (set []string, greedy bool) {
	number := make(map[string]int, len(p.names))
	for i, name := range p.names {
		number[name] = i
	}
	rows := make([]uint64, len(needs))
	for i, need := range needs {
		for _, scope := range need {
			rows[i] |= 1 << number[scope]
		}
	}
	rows, chosen := p.reduce(rows)
	for len(rows) > 0 {
		var part []uint64
		part, rows = component(rows)
		s := search{problem: p, steps: maxSteps, best: 1<<63 - 1}
		s.run(part, 0, 0, 0)
		chosen |= s.set
		greedy = greedy || s.steps < 0
	}
	for m := chosen; m != 0; m &= m - 1 {
		set = append(set, p.names[bits.TrailingZeros64(m)])
	}
	return set, greedy
}

// reduce makes the needs fewer and shorter without changing the best set, and
// returns the scopes that are in it for certain.
func (p *problem) reduce(rows []uint64) (open []uint64, chosen uint64) {
	for {
		before, size := len(rows), sizes(rows)
		// A need that holds another one is met with it.
		slices.SortFunc(rows, func(a, b uint64) int { return bits.OnesCount64(a) - bits.OnesCount64(b) })
		kept := rows[:0]
		for _, row := range rows {
			if !slices.ContainsFunc(kept, func(k uint64) bool { return k&row == k }) {
				kept = append(kept, row)
			}
		}
		rows = kept
		p.dominate(rows)
		var must uint64
		for _, row := range rows {
			if row&(row-1) == 0 {
				must |= row
			}
		}
		chosen |= must
		rows = slices.DeleteFunc(rows, func(row uint64) bool { return row&must != 0 })
		if len(rows) == before && sizes(rows) == size {
			return rows, chosen
		}
	}
}

func sizes(rows []uint64) (n int) {
	for _, row := range rows {
		n += bits.OnesCount64(row)
	}
	return n
}

// dominate strikes out scopes that another one can always stand in for: it meets
// the same needs or more, and is no worse.
func (p *problem) dominate(rows []uint64) {
	var meets [maxScopes][]uint64 // by scope, a mask of needs
	words := (len(rows) + 63) / 64
	var all uint64
	for i, row := range rows {
		all |= row
		for m := row; m != 0; m &= m - 1 {
			s := bits.TrailingZeros64(m)
			if meets[s] == nil {
				meets[s] = make([]uint64, words)
			}
			meets[s][i/64] |= 1 << (i % 64)
		}
	}
	var struck uint64
	for m := all; m != 0; m &= m - 1 {
		s := bits.TrailingZeros64(m)
		for n := all &^ struck; n != 0; n &= n - 1 {
			t := bits.TrailingZeros64(n)
			if t != s && (p.weight[t] < p.weight[s] || p.weight[t] == p.weight[s] && t < s) && within(meets[s], meets[t]) {
				struck |= 1 << s
				break
			}
		}
	}
	for i := range rows {
		rows[i] &^= struck
	}
}

// within reports whether a is a subset of b.
func within(a, b []uint64) bool {
	for i := range a {
		if a[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

// component splits off needs that have no scope in common with the rest, which can
// be met on their own.
func component(rows []uint64) (part, rest []uint64) {
	reach := rows[0]
	for grown := true; grown; {
		grown = false
		for _, row := range rows {
			if row&reach != 0 && row&^reach != 0 {
				reach |= row
				grown = true
			}
		}
	}
	for _, row := range rows {
		if row&reach != 0 {
			part = append(part, row)
		} else {
			rest = append(rest, row)
		}
	}
	return part, rest
}

// greedy is for what nobody has: it takes the scope that meets most, again and
// again, and then leaves out what turned out to be superfluous.
func (p *problem) greedy(needs [][]string) (set []string) {
	open := slices.Clone(needs)
	for len(open) > 0 {
		meets := make(map[string]int)
		for _, need := range open {
			for _, scope := range need {
				meets[scope]++
			}
		}
		best := -1
		for i, name := range p.names {
			if best < 0 || meets[name] > meets[p.names[best]] || meets[name] == meets[p.names[best]] && p.weight[i] < p.weight[best] {
				best = i
			}
		}
		set = append(set, p.names[best])
		open = slices.DeleteFunc(open, func(need []string) bool { return slices.Contains(need, p.names[best]) })
	}
	for i := len(set) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(set), i, i+1)
		if !slices.ContainsFunc(needs, func(need []string) bool {
			return !slices.ContainsFunc(need, func(scope string) bool { return slices.Contains(fewer, scope) })
		}) {
			set = fewer
		}
	}
	return set
}
