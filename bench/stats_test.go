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
		{"no values", nil, 0.5, math.NaN()},
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
		t.Errorf("quantile changed its input: %v", values)
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
		{"one process gives a wide interval", [][]float64{{0.9, 1, 1.1}}, 1, 0.2, 0.1},
		{"one bad round does not count", [][]float64{{1, 1, 1, 1, 0.2}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}, 1, 0.001, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := estimateRatio(test.processes, rand.New(rand.NewPCG(1, 2)))
			if e.Median != test.median {
				t.Errorf("median %v, want %v", e.Median, test.median)
			}
			if width := e.High - e.Low; width > test.atMost+1e-9 || width < test.atLeast {
				t.Errorf("interval %v-%v, want a width between %v and %v", e.Low, e.High, test.atLeast, test.atMost)
			}
			if e.Low > e.Median || e.High < e.Median {
				t.Errorf("the interval %v-%v does not contain the median %v", e.Low, e.High, e.Median)
			}
			if len(e.PerProcess) != len(test.processes) {
				t.Errorf("%d processes, want %d", len(e.PerProcess), len(test.processes))
			}
		})
	}
}

// The interval must contain the true value about as often as it claims. An interval that
// treats rounds of one process as independent would fail this test.
func TestEstimateRatioCoversTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const trials, truth = 60, 0.97
	covered := 0
	for range trials {
		processes := make([][]float64, 16)
		for i := range processes {
			luck := truth + 0.04*rng.NormFloat64() // the effect of this start
			for range 6 {
				processes[i] = append(processes[i], luck+0.06*rng.NormFloat64())
			}
		}
		if e := estimateRatio(processes, rng); e.Low <= truth && truth <= e.High {
			covered++
		}
	}
	if covered < trials*85/100 {
		t.Errorf("only %d of %d intervals contain the true value", covered, trials)
	}
}
