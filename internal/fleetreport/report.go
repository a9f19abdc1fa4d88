// Package fleetreport shows what a gateway knows of its fleets: as text, CSV and JSON, and
// what in it is wrong.
package fleetreport

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/usage"
)

// Patience is how long an edge may be behind before that is a problem.
const Patience = 10 * time.Second

// Report is what a gateway knows of the fleets of its workspaces at a time.
type Report struct {
	At     time.Time
	Fleets []fleet.Status
	// OnlyBehind says that only edges that are behind are in it, see [Report.Behind].
	OnlyBehind bool
}

// WriteJSON writes the fleets as JSON, which is a list.
func (r *Report) WriteJSON(w io.Writer) error {
	all := r.Fleets
	if all == nil {
		all = []fleet.Status{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

// Behind returns the report with those edges only that are behind, or have left.
func (r *Report) Behind() Report {
	only := Report{At: r.At, Fleets: slices.Clone(r.Fleets), OnlyBehind: true}
	for i := range only.Fleets {
		f := &only.Fleets[i]
		f.Members = nil
		f.Edges = slices.DeleteFunc(slices.Clone(f.Edges), func(e fleet.Edge) bool { return !e.Behind && e.Connected })
	}
	return only
}

// Down says what is down: stores, also those that refuse something, and authorities of edges.
func (r *Report) Down() (problems []string) {
	for i := range r.Fleets {
		f := &r.Fleets[i]
		if f.Store != nil && !f.Store.Up {
			problems = append(problems, fmt.Sprintf("%s: the store is down: %s", usage.Clean(f.Workspace), usage.Clean(f.Store.Error)))
		}
		if f.Store != nil && f.Store.Up && f.Store.Refused != "" {
			problems = append(problems, fmt.Sprintf("%s: the store refuses operations: %s", usage.Clean(f.Workspace), usage.Clean(f.Store.Refused)))
		}
		if f.Upstream != nil && !f.Upstream.Up {
			problems = append(problems, fmt.Sprintf("%s: the authority %s is down: %s", usage.Clean(f.Workspace), usage.Clean(f.Upstream.URL), usage.Clean(f.Upstream.Error)))
		}
	}
	return problems
}

// Lags are connected edges that are behind, with the generation that they have to reach.
type Lags map[edgeKey]fleet.Generation

type edgeKey struct{ workspace, authority, name string }

// Lags returns the connected edges that are behind now.
func (r *Report) Lags() Lags {
	lags := make(Lags)
	r.eachEdge(func(f *fleet.Status, e *fleet.Edge) {
		if e.Behind && e.Connected {
			lags[keyOf(f, e)] = f.Generation
		}
	})
	return lags
}

// Still returns those of the lags that an edge has not made up for in this report.
func (l Lags) Still(r *Report) Lags {
	still := make(Lags)
	r.eachEdge(func(f *fleet.Status, e *fleet.Edge) {
		if target, ok := l[keyOf(f, e)]; ok && e.Behind && e.Connected && e.Generation < target {
			still[keyOf(f, e)] = target
		}
	})
	return still
}

// Names returns the names of the edges, sorted.
func (l Lags) Names() (names []string) {
	for key := range l {
		names = append(names, key.name)
	}
	slices.Sort(names)
	return names
}

func keyOf(f *fleet.Status, e *fleet.Edge) edgeKey { return edgeKey{f.Workspace, e.Authority, e.Name} }

func (r *Report) eachEdge(do func(*fleet.Status, *fleet.Edge)) {
	for i := range r.Fleets {
		f := &r.Fleets[i]
		for j := range f.Edges {
			do(f, &f.Edges[j])
		}
	}
}

// lag is the time between two changes. Generations carry milliseconds of the log's clock.
func lag(last, applied fleet.Generation) time.Duration {
	if applied == 0 {
		return 0 // it has acknowledged nothing yet
	}
	to, _ := last.Parts()
	from, _ := applied.Parts()
	return max(0, time.Duration(to)-time.Duration(from)) * time.Millisecond
}
