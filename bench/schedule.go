package main

import "math/rand/v2"

// turn is one slice of time in which one target is driven.
type turn struct {
	round  int
	target int
}

// schedule gives each target one turn per round, in a new random order each round. In a
// fixed order a target would always pay for its predecessor's leftovers, such as garbage
// to collect and spans to send.
func schedule(targets, rounds int, rng *rand.Rand) []turn {
	turns := make([]turn, 0, targets*rounds)
	for round := range rounds {
		for _, target := range rng.Perm(targets) {
			turns = append(turns, turn{round, target})
		}
	}
	return turns
}

// ratios divides a target's value by the mean of the others' values in the same round,
// for each round. It skips rounds in which a value is missing or zero.
func ratios(slices []slice, a int, b []int, of func(slice) float64) (found []float64) {
	byRound := make(map[int]map[int]float64)
	rounds := 0
	for _, s := range slices {
		if byRound[s.round] == nil {
			byRound[s.round] = make(map[int]float64)
		}
		byRound[s.round][s.target] = of(s)
		rounds = max(rounds, s.round+1)
	}
	for round := range rounds {
		values := byRound[round]
		sum, complete := 0.0, values[a] > 0
		for _, target := range b {
			sum += values[target]
			complete = complete && values[target] > 0
		}
		if complete {
			found = append(found, values[a]*float64(len(b))/sum)
		}
	}
	return found
}
