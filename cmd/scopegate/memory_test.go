package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTuneGC(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string
		want                  int
	}{
		{"a memory limit", "GOMEMLIMIT", "1GiB", gcPercent},
		{"the machine's memory limit", "", "", gcPercent},
		{"no memory limit", "AUTOMEMLIMIT", "off", 77},
		{"GOGC", "GOGC", "77", 77},
	} {
		t.Run(test.name, func(t *testing.T) {
			percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(math.MaxInt64)
			t.Cleanup(func() {
				debug.SetGCPercent(percent)
				debug.SetMemoryLimit(limit)
			})
			t.Setenv("GOGC", "")
			if test.variable == "GOMEMLIMIT" {
				debug.SetMemoryLimit(1 << 30) // the runtime reads the variable only at the start
			}
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			tuneGC()
			if got := debug.SetGCPercent(77); got != test.want {
				t.Errorf("the GC percent is %d, want %d", got, test.want)
			}
		})
	}
}
