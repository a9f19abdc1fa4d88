package usage

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
)

const (
	// maxScopes is how many scopes fit a bit mask. Databricks has fewer than 60.
	maxScopes = 64
	// maxSteps bounds one search, counted in needs looked at: about 50 ms. The
	// whole shipped catalog takes a few hundred.
	maxSteps = 20_000_000
)

// A scope's weight ranks sets by size first, then by how many of their scopes the
// token does not hold, then by breadth. Up to 64 scopes add up without overflowing
// from one rank into the next.
const (
	perScope   = 1 << 40
	perNotHeld = 1 << 30
	maxBreadth = 1 << 20
)

// smallest returns the best set of scopes that has a member of every need. Needs must
// not be empty. isGreedy means that the set may be larger than necessary.
func smallest(needs [][]string, c choice) (set []string, isGreedy bool) {
	index := make(map[string]int)
	for _, need := range needs {
		for _, scope := range need {
			index[scope] = 0
		}
	}
	names := slices.Sorted(maps.Keys(index))
	weights := make([]int64, len(names))
	for i, name := range names {
		index[name] = i
		weights[i] = perScope + int64(min(max(0, c.Breadth[name]), maxBreadth-1))
		if !slices.Contains(c.Held, name) {
			weights[i] += perNotHeld
		}
	}
	if len(names) > maxScopes {
		return greedy(needs, names, weights), true
	}
	masks := make([]uint64, len(needs))
	for i, need := range needs {
		for _, scope := range need {
			masks[i] |= 1 << index[scope]
		}
	}
	s := search{weights: weights, steps: maxSteps, best: math.MaxInt64}
	s.run(minimal(masks), 0, 0)
	for left := s.set; left != 0; left &= left - 1 {
		set = append(set, names[bits.TrailingZeros64(left)])
	}
	return set, s.steps < 0
}

// minimal returns the needs that contain no other need: a set that meets these meets
// all of them. It reuses the slice.
func minimal(needs []uint64) []uint64 {
	slices.SortFunc(needs, func(a, b uint64) int {
		return cmp.Or(bits.OnesCount64(a)-bits.OnesCount64(b), cmp.Compare(a, b))
	})
	kept := needs[:0]
	for _, need := range needs {
		if !slices.ContainsFunc(kept, func(k uint64) bool { return k&need == k }) {
			kept = append(kept, need)
		}
	}
	return kept
}

// search is a depth-first branch-and-bound search. Scopes are bits, numbered
// alphabetically.
type search struct {
	weights []int64
	steps   int // left; below zero the search stops at its next chance
	best    int64
	set     uint64 // of weight best
}

// run looks for sets better than the best, among those that contain the chosen
// scopes and meet the needs.
func (s *search) run(needs []uint64, chosen uint64, weight int64) {
	if len(needs) == 0 {
		if weight < s.best || weight == s.best && before(chosen, s.set) {
			s.best, s.set = weight, chosen
		}
		return
	}
	if s.steps -= len(needs); s.steps < 0 && s.best < math.MaxInt64 {
		return
	}
	// Needs that share no scope cost at least one scope each.
	least := weight
	var counted, all uint64
	shortest := needs[0]
	for _, need := range needs {
		all |= need
		if bits.OnesCount64(need) < bits.OnesCount64(shortest) {
			shortest = need
		}
		if need&counted == 0 {
			counted |= need
			least += s.cheapest(need)
		}
	}
	if least > s.best || least == s.best && !before(chosen|all, s.set) {
		return
	}
	var tried uint64 // sets with these were searched already
	for left := shortest; left != 0; left &= left - 1 {
		scope := left & -left
		rest := make([]uint64, 0, len(needs))
		for _, need := range needs {
			if need&scope == 0 {
				rest = append(rest, need&^tried)
			}
		}
		if !slices.Contains(rest, 0) {
			s.run(rest, chosen|scope, weight+s.weights[bits.TrailingZeros64(scope)])
		}
		tried |= scope
	}
}

// cheapest returns the lowest weight that meets a need.
func (s *search) cheapest(need uint64) int64 {
	least := int64(math.MaxInt64)
	for ; need != 0; need &= need - 1 {
		least = min(least, s.weights[bits.TrailingZeros64(need)])
	}
	return least
}

// before reports whether set a precedes set b of the same size alphabetically.
func before(a, b uint64) bool {
	differ := a ^ b
	return differ != 0 && a&(differ&-differ) != 0
}

// greedy takes the scope that meets most of the open needs until none is open, then
// drops scopes that turned out to be redundant.
func greedy(needs [][]string, names []string, weights []int64) (set []string) {
	open := slices.Clone(needs)
	for len(open) > 0 {
		meets := make(map[string]int)
		for _, need := range open {
			for _, scope := range slices.Compact(slices.Sorted(slices.Values(need))) {
				meets[scope]++
			}
		}
		best := 0
		for i, name := range names {
			if d := cmp.Compare(meets[name], meets[names[best]]); d > 0 || d == 0 && weights[i] < weights[best] {
				best = i
			}
		}
		set = append(set, names[best])
		open = slices.DeleteFunc(open, func(need []string) bool { return slices.Contains(need, names[best]) })
	}
	for i := len(set) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(set), i, i+1)
		if !slices.ContainsFunc(needs, func(need []string) bool { return len(intersect(need, fewer)) == 0 }) {
			set = fewer
		}
	}
	slices.Sort(set)
	return set
}
