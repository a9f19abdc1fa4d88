package edge

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// reported returns the changes that an authority was told, by report.
func (s *script) reported(t *testing.T) [][]wire.Change {
	t.Helper()
	var reports [][]wire.Change
	for _, request := range s.requests("POST changes") {
		var report wire.Report
		if err := json.Unmarshal(request.body, &report); err != nil {
			t.Fatalf("%q: %v", request.body, err)
		}
		reports = append(reports, report.Changes)
	}
	return reports
}

// owners are changes of so many owners.
func owners(n int) []fleet.Change {
	changes := make([]fleet.Change, n)
	for i := range changes {
		changes[i] = fleet.Change{Kind: fleet.OwnerChanged, Owner: int64(i + 1)}
	}
	return changes
}

var takes = map[string]http.HandlerFunc{"POST changes": says(http.StatusAccepted, "")}

// TestReportsAtClose is about changes that were told before the client was closed.
func TestReportsAtClose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes int
		want    []int // changes by report
	}{
		"none":               {0, nil},
		"one":                {1, []int{1}},
		"one report's worth": {wire.MaxChanges, []int{wire.MaxChanges}},
		"several reports":    {2*wire.MaxChanges + 1, []int{wire.MaxChanges, wire.MaxChanges, 1}},
		"too many":           {maxReports + 1, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, takes)
			g := newGateway(t, []*script{authority})
			g.Tell(owners(c.changes)...)
			g.Close()
			got, next := authority.reported(t), int64(1)
			if len(got) != len(c.want) {
				t.Fatalf("%d reports, want %d", len(got), len(c.want))
			}
			for i, report := range got {
				if len(report) != c.want[i] {
					t.Errorf("report %d has %d changes, want %d", i, len(report), c.want[i])
				}
				for _, change := range report {
					if c.changes > maxReports {
						if change.Kind != fleet.OwnersChanged {
							t.Errorf("%+v", change)
						}
					} else if change.Owner != next {
						t.Errorf("owner %d, want %d", change.Owner, next)
					}
					next++
				}
			}
		})
	}
}

// TestReportIsTriedAgain: what no authority took waits for the next attempt, and nothing else.
func TestReportIsTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	authority := newScript(t, map[string]http.HandlerFunc{"POST changes": func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			says(503, "")(w, r)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}})
	g := newGateway(t, []*script{authority})
	g.Start()
	began := time.Now()
	g.Tell(owners(2)...)
	waitFor(t, "a second report", func() bool { return len(authority.reported(t)) == 2 })
	if took := time.Since(began); took < reportRetry {
		t.Errorf("it was tried again after %s", took)
	}
	g.Tell(fleet.Change{Kind: fleet.Doubted})
	waitFor(t, "a third report", func() bool { return len(authority.reported(t)) == 3 })
	got := authority.reported(t)
	if !slices.Equal(got[0], got[1]) || len(got[1]) != 2 || len(got[2]) != 1 || got[2][0].Kind != fleet.Doubted {
		t.Errorf("%+v", got)
	}
}

// TestTellWhileReporting tells of more changes than are kept while a report is under way, which
// says nothing of them.
func TestTellWhileReporting(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	authority := newScript(t, map[string]http.HandlerFunc{"POST changes": func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusAccepted)
	}})
	g := newGateway(t, []*script{authority})
	g.Start()
	g.Tell(fleet.Change{Kind: fleet.OwnersChanged})
	waitFor(t, "a report", func() bool { return len(authority.reported(t)) == 1 })
	g.Tell(owners(maxReports + 1)...)
	close(release)
	waitFor(t, "another report", func() bool { return len(authority.reported(t)) == 2 })
	if got := authority.reported(t)[1]; len(got) != 1 || got[0].Kind != fleet.OwnersChanged {
		t.Errorf("%+v", got)
	}
}

// TestCloseWhileReporting closes a client whose report is under way. The authority that hangs
// may have it or not; the other one takes it.
func TestCloseWhileReporting(t *testing.T) {
	t.Parallel()
	first, second := newScript(t, map[string]http.HandlerFunc{"POST changes": hangs}), newScript(t, takes)
	g := newGateway(t, []*script{first, second})
	g.Start()
	g.Tell(owners(2)...)
	waitFor(t, "a report", func() bool { return len(first.reported(t)) == 1 })
	g.Tell(owners(1)...)
	g.Close()
	var got []wire.Change
	for _, report := range second.reported(t) {
		got = append(got, report...)
	}
	if len(got) != 3 {
		t.Errorf("%+v, want each change once", got)
	}
}

// TestReportsLost checks that it is said how many changes no authority took.
func TestReportsLost(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	authority := newScript(t, nil)
	g := newGateway(t, []*script{authority}, func(o *Options) { o.Logger = func() *zap.Logger { return zap.New(core) } })
	g.Tell(owners(3)...)
	g.Close()
	lost := logs.FilterField(zap.Int("changes", 3)).All()
	if len(lost) != 1 {
		t.Errorf("%+v", logs.All())
	}
}

// TestTellBeside has several goroutines tell, more than is kept.
func TestTellBeside(t *testing.T) {
	t.Parallel()
	authority := newScript(t, takes)
	g := newGateway(t, []*script{authority})
	g.Start()
	var telling sync.WaitGroup
	for range 4 {
		telling.Go(func() {
			for range 40 {
				g.Tell(owners(100)...)
			}
		})
	}
	telling.Wait()
	g.Close()
	reports := authority.reported(t)
	if last := reports[len(reports)-1]; len(last) == 0 {
		t.Error("an empty report")
	}
}
