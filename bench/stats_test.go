package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"nothing", nil, 0.5, math.NaN()},
		{"one value", []float64{3}, 0.99, 3},
		{"the middle of three, in any order", []float64{9, 1, 4}, 0.5, 4},
		{"between the middle two of four", []float64{4, 1, 2, 3}, 0.5, 2.5},
		{"the least", []float64{2, 1, 3}, 0, 1},
		{"the most", []float64{2, 1, 3}, 1, 3},
		{"a quarter of the way", []float64{0, 1, 2, 3, 4}, 0.25, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := quantile(test.values, test.q)
			if got != test.want && !(math.IsNaN(got) && math.IsNaN(test.want)) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestQuantileLeavesItsInputAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	quantile(values, 0.5)
	if values[0] != 3 || values[1] != 1 || values[2] != 2 {
		t.Errorf("the values are now %v", values)
	}
}

func TestEstimateRatio(t *testing.T) {
	for _, test := range []struct {
		name      string
		processes [][]float64
		median    float64
		atMost    float64 // width of the interval
		atLeast   float64
	}{
		{"the same everywhere", [][]float64{{0.98, 0.98}, {0.98, 0.98}, {0.98}}, 0.98, 0, 0},
		{"processes differ, rounds do not", [][]float64{{0.9, 0.9, 0.9}, {1, 1, 1}, {1.1, 1.1, 1.1}}, 1, 0.2, 0.19},
		{"one process says little", [][]float64{{0.9, 1, 1.1}}, 1, 0.2, 0.1},
		{"one bad round is not believed", [][]float64{{1, 1, 1, 1, 0.2}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}, 1, 0.001, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := estimateRatio(test.processes, rand.New(rand.NewPCG(1, 2)))
			if e.Median != test.median {
				t.Errorf("the median is %v instead of %v", e.Median, test.median)
			}
			if width := e.High - e.Low; width > test.atMost+1e-9 || width < test.atLeast {
				t.Errorf("the interval %v-%v is not between %v and %v wide", e.Low, e.High, test.atLeast, test.atMost)
			}
			if e.Low > e.Median || e.High < e.Median {
				t.Errorf("the interval %v-%v does not hold the median %v", e.Low, e.High, e.Median)
			}
			if len(e.PerProcess) != len(test.processes) {
				t.Errorf("there are %d processes instead of %d", len(e.PerProcess), len(test.processes))
			}
		})
	}
}

// The interval must hold the truth about as often as it says: this is what tells
// an interval by processes from one that takes every round for news.
func TestEstimateRatioCoversTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const trials, truth = 60, 0.97
	covered := 0
	for range trials {
		processes := make([][]float64, 16)
		for i := range processes {
			luck := truth + 0.04*rng.NormFloat64() // of this start
			for range 6 {
				processes[i] = append(processes[i], luck+0.06*rng.NormFloat64())
			}
		}
		if e := estimateRatio(processes, rng); e.Low <= truth && truth <= e.High {
			covered++
		}
	}
	if covered < trials*85/100 {
		t.Errorf("only %d of %d intervals hold the truth", covered, trials)
	}
}
