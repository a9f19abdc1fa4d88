package main

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
)

func TestLimitMemory(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string
		limited               bool
	}{
		{"that of the machine", "", "", true},
		{"off", "AUTOMEMLIMIT", "off", false},
		{"already set", "GOMEMLIMIT", "1GiB", false}, // the runtime reads it only at the start
	} {
		t.Run(test.name, func(t *testing.T) {
			limit := debug.SetMemoryLimit(math.MaxInt64)
			percent := debug.SetGCPercent(77)
			t.Cleanup(func() {
				debug.SetMemoryLimit(limit)
				debug.SetGCPercent(percent)
			})
			for _, variable := range []string{"GOMEMLIMIT", "AUTOMEMLIMIT"} {
				t.Setenv(variable, test.value) // put back at the end
				if variable != test.variable {
					_ = os.Unsetenv(variable)
				}
			}
			limitMemory()
			if got := debug.SetMemoryLimit(-1); (got < math.MaxInt64) != test.limited {
				t.Errorf("the limit is %d", got)
			}
			if got := debug.SetGCPercent(77); got != 77 {
				t.Errorf("the GC percent was changed to %d", got)
			}
		})
	}
}
