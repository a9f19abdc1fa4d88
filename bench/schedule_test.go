package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestScheduleGivesEachTargetOneTurnARound(t *testing.T) {
	for _, test := range []struct {
		name            string
		targets, rounds int
	}{
		{"one target", 1, 3},
		{"two targets", 2, 50},
		{"many targets", 9, 20},
		{"no rounds", 4, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			turns := schedule(test.targets, test.rounds, rand.New(rand.NewPCG(1, 2)))
			if len(turns) != test.targets*test.rounds {
				t.Fatalf("%d turns, want %d", len(turns), test.targets*test.rounds)
			}
			for round := range test.rounds {
				var had []int
				for _, turn := range turns[round*test.targets : (round+1)*test.targets] {
					if turn.round != round {
						t.Fatalf("a turn of round %d is in round %d", turn.round, round)
					}
					had = append(had, turn.target)
				}
				slices.Sort(had)
				for i, target := range had {
					if target != i {
						t.Fatalf("round %d has the targets %v", round, had)
					}
				}
			}
		})
	}
}

func TestScheduleOrdersDiffer(t *testing.T) {
	turns := schedule(4, 40, rand.New(rand.NewPCG(5, 6)))
	firsts := make(map[int]int)
	for i := 0; i < len(turns); i += 4 {
		firsts[turns[i].target]++
	}
	for target := range 4 {
		if firsts[target] < 4 {
			t.Errorf("target %d is first in %d rounds of 40", target, firsts[target])
		}
	}
}

// at returns a slice with a throughput.
func at(round, target int, perSecond int) slice {
	return slice{round: round, target: target, requests: perSecond, took: time.Second}
}

func TestRatios(t *testing.T) {
	for _, test := range []struct {
		name   string
		slices []slice
		of     int
		base   []int
		want   []float64
	}{
		{"in any order within a round", []slice{at(0, 1, 50), at(0, 0, 100), at(1, 0, 200), at(1, 1, 150)}, 1, []int{0}, []float64{0.5, 0.75}},
		{"against the mean of two", []slice{at(0, 0, 100), at(0, 1, 300), at(0, 2, 100)}, 2, []int{0, 1}, []float64{0.5}},
		{"an incomplete round", []slice{at(0, 0, 100), at(1, 0, 100), at(1, 1, 100)}, 1, []int{0}, []float64{1}},
		{"a target with no requests", []slice{at(0, 0, 0), at(0, 1, 100)}, 1, []int{0}, nil},
		{"others in between", []slice{at(0, 2, 7), at(0, 0, 100), at(0, 3, 9), at(0, 1, 100)}, 1, []int{0}, []float64{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ratios(test.slices, test.of, test.base, slice.throughput); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name      string
		is        estimate
		met, sure bool
	}{
		{"certainly met", estimate{Median: 0.99, Low: 0.981, High: 1}, true, true},
		{"perhaps met", estimate{Median: 0.985, Low: 0.97, High: 1}, true, false},
		{"perhaps missed", estimate{Median: 0.975, Low: 0.96, High: 0.99}, false, false},
		{"certainly missed", estimate{Median: 0.95, Low: 0.94, High: 0.97}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := judge(goal{"handler", enforce, plain, 0.98}, test.is)
			if v.Met != test.met || v.Sure != test.sure {
				t.Errorf("met %v, sure %v", v.Met, v.Sure)
			}
		})
	}
}

func TestJudgeCeiling(t *testing.T) {
	for _, test := range []struct {
		name      string
		is        estimate
		met, sure bool
		text      string
	}{
		{"certainly met", estimate{Median: 50, Low: 45, High: 60}, true, true, "met"},
		{"perhaps met", estimate{Median: 59, Low: 55, High: 61}, true, false, "met (the goal is inside the interval)"},
		{"certainly missed", estimate{Median: 66, Low: 61, High: 70}, false, true, "missed by 10.0 %"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := judge(goal{"cost", askGRPC, "", 60}, test.is)
			if v.Met != test.met || v.Sure != test.sure || v.text() != test.text {
				t.Errorf("met %v, sure %v, %q", v.Met, v.Sure, v.text())
			}
			if v.name() != askGRPC+" at most 60 us" {
				t.Errorf("called %q", v.name())
			}
		})
	}
}
