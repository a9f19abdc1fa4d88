package metrics

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/scopegate/scopegate/internal/findings"
)

// TestFindings: the gauges are about all workspaces, and forget those that are gone.
func TestFindings(t *testing.T) {
	t.Parallel()
	m := New()
	check := func(when string, want float64) {
		t.Helper()
		if got := testutil.ToFloat64(m.found[[2]string{"unscoped", "new"}]); got != want {
			t.Errorf("%s: %g, want %g", when, got, want)
		}
	}
	check("at first", 0)
	one, other := m.NewFindings(), m.NewFindings()
	one.Set(map[[2]string]int{{"unscoped", "new"}: 2, {"no such kind", "new"}: 5})
	other.Set(map[[2]string]int{{"unscoped", "new"}: 3})
	check("two workspaces", 5)
	one.Set(map[[2]string]int{{"unscoped", "acknowledged"}: 2})
	check("those of one are acknowledged", 3)
	other.Close()
	check("the other is gone", 0)
	if got := testutil.ToFloat64(m.found[[2]string{"unscoped", "acknowledged"}]); got != 2 {
		t.Errorf("%g are acknowledged", got)
	}
}

// TestFindingLabels holds the label values equal to those of findings, which this package does
// not import.
func TestFindingLabels(t *testing.T) {
	t.Parallel()
	var kinds, states []string
	for _, kind := range findings.Kinds {
		kinds = append(kinds, string(kind))
	}
	for _, state := range findings.States {
		states = append(states, string(state))
	}
	if !slices.Equal(kinds, findingKinds) || !slices.Equal(states, findingStates) {
		t.Errorf("the metric has %q and %q, want %q and %q", findingKinds, findingStates, kinds, states)
	}
}
