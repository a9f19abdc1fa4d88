package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// quantile returns the q-quantile of values, with linear interpolation. It returns NaN
// for no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// estimate is a ratio with its confidence interval.
type estimate struct {
	// Median is the median over processes of the median over rounds.
	Median float64 `json:"median"`
	// Low and High bound the 95 % confidence interval.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// PerProcess holds the median of each fresh process (or set of processes).
	PerProcess []float64 `json:"per_process"`
	Rounds     int       `json:"rounds"` // in total
}

// exactly is an estimate of something that was measured once.
func exactly(value float64) estimate {
	return estimate{value, value, value, []float64{value}, 1}
}

// resamples is the number of bootstrap samples.
const resamples = 4000

// estimateRatio combines the ratios of each round of each process. The process is the
// unit: the ratio of two identical sites differs by several percent from one start to
// the next (memory layout, hash seeds), and more rounds do not average that out. So the
// bootstrap samples processes first, and then rounds of each.
func estimateRatio(processes [][]float64, rng *rand.Rand) estimate {
	var e estimate
	for _, rounds := range processes {
		if len(rounds) > 0 {
			e.PerProcess = append(e.PerProcess, median(rounds))
			e.Rounds += len(rounds)
		}
	}
	e.Median = median(e.PerProcess)
	draws := make([]float64, 0, resamples)
	medians := make([]float64, len(processes))
	for range resamples {
		for i := range medians {
			medians[i] = median(resample(processes[rng.IntN(len(processes))], rng))
		}
		draws = append(draws, median(medians))
	}
	e.Low, e.High = quantile(draws, 0.025), quantile(draws, 0.975)
	return e
}

func resample(values []float64, rng *rand.Rand) []float64 {
	drawn := make([]float64, len(values))
	for i := range drawn {
		drawn[i] = values[rng.IntN(len(values))]
	}
	return drawn
}

// summary is the distribution of one quantity of one setup over slices.
type summary struct {
	Median float64 `json:"median"`
	Low    float64 `json:"quartile_1"`
	High   float64 `json:"quartile_3"`
}

func summarize(values []float64) summary {
	return summary{median(values), quantile(values, 0.25), quantile(values, 0.75)}
}
