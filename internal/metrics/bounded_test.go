package metrics

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// However many operations there are, the series are bounded, and no answer is lost.
func TestBounded(t *testing.T) {
	t.Parallel()
	m := New()
	for range 2 {
		for i := range maxValues + 50 {
			m.MapDisagreement(fmt.Sprint("operation", i))
		}
	}
	if n := testutil.CollectAndCount(m.disagreements.vec); n != maxValues+1 {
		t.Errorf("%d series", n)
	}
	for value, want := range map[string]float64{"operation0": 2, "operation99": 2, "other": 100} {
		if got := testutil.ToFloat64(m.disagreements.vec.WithLabelValues(value)); got != want {
			t.Errorf("%s: %v, want %v", value, got, want)
		}
	}
}
