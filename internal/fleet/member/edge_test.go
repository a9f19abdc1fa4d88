package member

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/edge"
)

// newEdge returns an edge that was not started: it asks nobody.
func newEdge(t *testing.T) (*Edge, *recorder) {
	t.Helper()
	r := new(recorder)
	client := edge.Open(edge.Options{
		URLs: []string{"http://127.0.0.1:1"}, WorkspaceURL: "https://one.example.com", Name: "edge",
		Timeout: time.Second, Apply: r.apply, Reset: func() {}, Observer: r, Upstream: func(error) {}, Logger: zap.NewNop, Now: time.Now,
	})
	t.Cleanup(client.Close)
	return NewEdge(client, r.apply), r
}

// TestEdgeTell: an edge that reaches no authority forgets all the same.
func TestEdgeTell(t *testing.T) {
	t.Parallel()
	e, r := newEdge(t)
	want := []fleet.Change{token("one"), owner(7), {Kind: fleet.Doubted}}
	if got := e.Tell(want...); got != 0 {
		t.Errorf("the change has a place: %d", got)
	}
	if got := e.Untold(); got != fleet.UpstreamDown {
		t.Errorf("why nobody was told: %q", got)
	}
	if got := r.applied(); !slices.Equal(got, want) {
		t.Errorf("applied: %v", got)
	}
	if got := r.kinds(); !slices.Equal(got, []fleet.Kind{fleet.TokenChanged, fleet.OwnerChanged, fleet.Doubted}) {
		t.Errorf("reported: %v", got)
	}
}

func TestEdgeStatus(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t)
	s := e.Status(t.Context())
	if s.Role != "edge" || s.Upstream == nil || s.Upstream.Up || s.Store != nil || s.Edges != nil {
		t.Errorf("status: %+v", s)
	}
	got := e.Progress(t.Context(), 5)
	if got.Generation != 5 || got.Edges != 0 || got.Applied != 0 || got.Stragglers == nil || len(got.Stragglers) != 0 {
		t.Errorf("progress: %+v", got)
	}
}
