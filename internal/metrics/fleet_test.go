package metrics

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/scopegate/scopegate/internal/fleet"
)

// TestFleetSeries: all series exist from the start, and nothing adds another one.
func TestFleetSeries(t *testing.T) {
	t.Parallel()
	registry, m := prometheus.NewPedanticRegistry(), New()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	f := m.NewFleet()
	defer f.Close()
	f.StoreAsked("guess", "ok", time.Millisecond)
	f.StoreAsked("find", "guess", time.Millisecond)
	f.EntryRefused("guess")
	f.Published("guess")
	f.Applied("guess")
	f.Gap("guess")
	f.EdgeRefused("guess")
	f.LookupShared("guess")
	f.UsageLost(-1)
	for name, want := range map[string]int{
		"scopegate_fleet_store_up":                    1,
		"scopegate_fleet_store_requests_total":        8 * 5,
		"scopegate_fleet_store_seconds":               1,
		"scopegate_fleet_entries_refused_total":       7,
		"scopegate_fleet_changes_total":               7 * 2,
		"scopegate_fleet_gaps_total":                  4,
		"scopegate_fleet_edges":                       1,
		"scopegate_fleet_edge_requests_refused_total": 6,
		"scopegate_fleet_usage_lost_bytes_total":      1,
		"scopegate_fleet_upstream_up":                 1,
		"scopegate_revocation_seconds":                1,
		"scopegate_fleet_lookups_shared_total":        3,
	} {
		if got, err := testutil.GatherAndCount(registry, name); err != nil || got != want {
			t.Errorf("%d series of %s, want %d: %v", got, name, want, err)
		}
	}
	if got := testutil.ToFloat64(m.fleet.usageLost); got != 0 {
		t.Errorf("%g bytes of usage lost", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestFleetCounts: what an observer is told is counted where it belongs.
func TestFleetCounts(t *testing.T) {
	t.Parallel()
	m := New()
	f := m.NewFleet()
	defer f.Close()
	f.StoreAsked("find", "ok", time.Millisecond)
	f.StoreAsked("find", "down", 0)
	f.EntryRefused("future")
	f.Published(fleet.TokenChanged)
	f.Applied(fleet.OwnersDoubted)
	f.Applied(fleet.OwnersDoubted)
	f.Gap("trimmed")
	f.EdgeRefused("rate")
	f.UsageLost(100)
	f.UsageLost(20)
	f.LookupShared("unknown")
	f.Acknowledged(40 * time.Millisecond)
	for name, test := range map[string]struct {
		counter prometheus.Counter
		want    float64
	}{
		"found":     {m.fleet.asked[[2]string{"find", "ok"}], 1},
		"not tried": {m.fleet.asked[[2]string{"find", "down"}], 1},
		"refused":   {m.fleet.refused["future"], 1},
		"published": {m.fleet.changes[[2]string{"token", "published"}], 1},
		"not told":  {m.fleet.changes[[2]string{"token", "applied"}], 0},
		"applied":   {m.fleet.changes[[2]string{"doubt_owners", "applied"}], 2},
		"gap":       {m.fleet.gaps["trimmed"], 1},
		"rate":      {m.fleet.edgeRefusals["rate"], 1},
		"usage":     {m.fleet.usageLost, 120},
		"unknown":   {m.fleet.shared["unknown"], 1},
	} {
		if got := testutil.ToFloat64(test.counter); got != test.want {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
	if n, sum := observed(t, m.fleet.askedTime); n != 1 || sum != .001 {
		t.Errorf("%d operations took %gs; those that were not tried do not count", n, sum)
	}
	if n, sum := observed(t, m.fleet.revocation); n != 1 || sum != .04 {
		t.Errorf("%d revocations took %gs", n, sum)
	}
}

func observed(t *testing.T, h prometheus.Histogram) (n uint64, sum float64) {
	t.Helper()
	var sample dto.Metric
	if err := h.Write(&sample); err != nil {
		t.Fatal(err)
	}
	return sample.GetHistogram().GetSampleCount(), sample.GetHistogram().GetSampleSum()
}

// TestFleets: the gauges are about all fleets, so that one that works does not hide one that
// does not, and what is closed does not count.
func TestFleets(t *testing.T) {
	t.Parallel()
	m := New()
	check := func(when string, store, upstream, edges float64) {
		t.Helper()
		if got := testutil.ToFloat64(m.fleet.storeUp); got != store {
			t.Errorf("%s: store %g, want %g", when, got, store)
		}
		if got := testutil.ToFloat64(m.fleet.upstreamUp); got != upstream {
			t.Errorf("%s: upstream %g, want %g", when, got, upstream)
		}
		if got := testutil.ToFloat64(m.fleet.edges); got != edges {
			t.Errorf("%s: %g edges, want %g", when, got, edges)
		}
	}
	check("at first", 1, 1, 0)
	a, b := m.NewFleet(), m.NewFleet()
	check("two that say nothing", 1, 1, 0)
	a.StoreConnected(errors.New("refused"))
	b.StoreConnected(nil)
	check("one store down", 0, 1, 0)
	b.UpstreamConnected(errors.New("refused"))
	a.StoreConnected(nil)
	check("one upstream down", 1, 0, 0)
	b.UpstreamConnected(nil)
	check("all up", 1, 1, 0)
	a.EdgeConnected("x")
	a.EdgeConnected("x") // before it has left, as after a lost connection
	b.EdgeConnected("y")
	a.EdgeGone("x")
	check("edges", 1, 1, 2)
	b.EdgeGone("y")
	b.EdgeGone("y")
	check("gone twice", 1, 1, 1)
	b.StoreConnected(errors.New("refused"))
	b.Close()
	check("the broken one closed", 1, 1, 1)
	a.Close()
	check("all closed", 1, 1, 0)

	var wait sync.WaitGroup
	f := m.NewFleet()
	for range 20 {
		wait.Go(func() {
			f.EdgeConnected("x")
			f.StoreConnected(nil)
			f.EdgeGone("x")
		})
	}
	wait.Wait()
	check("after many at once", 1, 1, 0)
}
