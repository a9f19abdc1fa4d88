package usage

import (
	"math/bits"
	"slices"
)

// search finds the best set for needs that are one component: branch and bound.
type search struct {
	*problem
	// steps are left; below zero the search has given up, and set is the best that
	// it came across.
	steps int
	best  int64
	set   uint64
	// rows are the needs that are open, by depth: their memory is used again.
	rows [maxScopes + 1][]uint64
}

// run looks for better sets than the best, among those that hold the chosen scopes.
// The rows are the needs that these do not meet, without the scopes that are ruled
// out.
func (s *search) run(rows []uint64, chosen uint64, weight int64, depth int) {
	if len(rows) == 0 {
		if weight < s.best || weight == s.best && earlier(chosen, s.set) {
			s.best, s.set = weight, chosen
		}
		return
	}
	if s.steps -= len(rows); s.steps < 0 && s.best < 1<<63-1 {
		return
	}
	// Needs that have no scope in common cost a scope each.
	least := weight
	var used, all uint64
	shortest := rows[0]
	for _, row := range rows {
		all |= row
		if bits.OnesCount64(row) < bits.OnesCount64(shortest) {
			shortest = row
		}
		if row&used == 0 {
			used |= row
			least += s.cheapest(row)
		}
	}
	if least > s.best || least == s.best && !earlier(chosen|all, s.set) {
		return
	}
	// One scope of the shortest need must be chosen: those that meet most first,
	// which soon gives a good set to measure the others against.
	var meets [maxScopes]int
	for _, row := range rows {
		for m := row & shortest; m != 0; m &= m - 1 {
			meets[bits.TrailingZeros64(m)]++
		}
	}
	var order [maxScopes]int
	n := 0
	for m := shortest; m != 0; m &= m - 1 {
		order[n] = bits.TrailingZeros64(m)
		n++
	}
	slices.SortFunc(order[:n], func(a, b int) int {
		switch {
		case meets[a] != meets[b]:
			return meets[b] - meets[a]
		case s.weight[a] != s.weight[b]:
			return int(max(-1, min(1, s.weight[a]-s.weight[b])))
		}
		return a - b
	})
	var ruledOut uint64 // those whose sets have been looked at
	for _, scope := range order[:n] {
		if next, ok := s.without(rows, 1<<scope, ruledOut, depth); ok {
			s.run(next, chosen|1<<scope, weight+s.weight[scope], depth+1)
		}
		ruledOut |= 1 << scope
	}
}

// without returns the needs that a scope does not meet, without the scopes that are
// ruled out, and whether all of them can still be met.
func (s *search) without(rows []uint64, scope, ruledOut uint64, depth int) ([]uint64, bool) {
	next := s.rows[depth][:0]
	for _, row := range rows {
		if row&scope != 0 {
			continue
		}
		if row &^= ruledOut; row == 0 {
			return nil, false
		}
		next = append(next, row)
	}
	s.rows[depth] = next
	return next, true
}

// cheapest returns the least weight with which a need can be met.
func (s *search) cheapest(row uint64) int64 {
	least := int64(1<<63 - 1)
	for ; row != 0; row &= row - 1 {
		least = min(least, s.weight[bits.TrailingZeros64(row)])
	}
	return least
}

// earlier reports whether set a comes before set b of the same size by alphabet.
func earlier(a, b uint64) bool {
	differ := a ^ b
	return differ != 0 && a&(differ&-differ) != 0
}
