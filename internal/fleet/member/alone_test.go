package member

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// recorder notes what is applied and what is said to be published.
type recorder struct {
	fleet.NoObserver
	mu        sync.Mutex
	changes   []fleet.Change
	published []fleet.Kind
}

func (r *recorder) apply(change fleet.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, change)
}

func (r *recorder) Published(kind fleet.Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = append(r.published, kind)
}

func (r *recorder) applied() []fleet.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

func (r *recorder) kinds() []fleet.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published)
}

func token(name string) fleet.Change {
	return fleet.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf(name)}
}

func owner(number int64) fleet.Change {
	return fleet.Change{Kind: fleet.OwnerChanged, Owner: number}
}

func newAlone() (*Alone, *recorder) {
	r := new(recorder)
	return NewAlone(r.apply, r, time.Now), r
}

// logged returns what is in the log of a gateway after a generation.
func logged(t *testing.T, a *Alone, after fleet.Generation) (changes []fleet.Change, last fleet.Generation) {
	t.Helper()
	epoch, _ := a.Position()
	entries, ok := a.Since(epoch, after)
	if !ok {
		t.Fatalf("the log does not reach back to %d", after)
	}
	for _, e := range entries {
		changes, last = append(changes, e.Change), e.Generation
	}
	return changes, last
}

func TestAloneTell(t *testing.T) {
	t.Parallel()
	a, r := newAlone()
	_, begin := a.Position()
	told := a.Wait()
	want := []fleet.Change{token("one"), owner(7), {Kind: fleet.Doubted}}
	generation := a.Tell(want...)
	changes, last := logged(t, a, begin)
	if !slices.Equal(changes, want) {
		t.Errorf("in the log: %v", changes)
	}
	if generation != last {
		t.Errorf("generation %d, and the last entry's is %d", generation, last)
	}
	if got := r.applied(); !slices.Equal(got, want) {
		t.Errorf("applied: %v", got)
	}
	if got := r.kinds(); !slices.Equal(got, []fleet.Kind{fleet.TokenChanged, fleet.OwnerChanged, fleet.Doubted}) {
		t.Errorf("published: %v", got)
	}
	select {
	case <-told:
	default:
		t.Error("nobody was told")
	}
}

// TestAloneTokensChanged: what its own look-ups find, the gateway knows already.
func TestAloneTokensChanged(t *testing.T) {
	t.Parallel()
	a, r := newAlone()
	_, begin := a.Position()
	a.TokensChanged(tokens.Answer{ID: tokens.IDOf("one")}, tokens.Answer{ID: tokens.IDOf("two")})
	if changes, _ := logged(t, a, begin); !slices.Equal(changes, []fleet.Change{token("one"), token("two")}) {
		t.Errorf("in the log: %v", changes)
	}
	if got := r.applied(); len(got) != 0 {
		t.Errorf("applied: %v", got)
	}
	if got := r.kinds(); !slices.Equal(got, []fleet.Kind{fleet.TokenChanged, fleet.TokenChanged}) {
		t.Errorf("published: %v", got)
	}
	_, before := a.Position()
	a.TokensChanged()
	if _, last := a.Position(); last != before {
		t.Errorf("no change is at %d", last)
	}
}

func TestAloneStatus(t *testing.T) {
	t.Parallel()
	a, _ := newAlone()
	generation := a.Tell(token("one"))
	expect := func(when, role string, edges int) {
		t.Helper()
		s := a.Status(t.Context())
		if s.Role != role || s.Generation != generation || len(s.Edges) != edges || s.Store != nil || s.Upstream != nil || s.Members != nil {
			t.Errorf("%s: %+v", when, s)
		}
	}
	expect("without edges", "single", 0)
	leave := a.Serve(&server{edges: []fleet.Edge{{Name: "one", Connected: true}}})
	expect("with an edge", "authority", 1)
	leaveIdle := a.Serve(new(server))
	leave()
	expect("with a server that has no edge", "authority", 0)
	leaveIdle()
	leaveIdle() // it does no harm
	expect("when no server is left", "single", 0)
}

func TestAloneProgress(t *testing.T) {
	t.Parallel()
	a, _ := newAlone()
	if got := a.Progress(t.Context(), 5); got.Generation != 5 || got.Edges != 0 || got.Stragglers == nil {
		t.Errorf("without edges: %+v", got)
	}
	a.Serve(&server{progress: fleet.Progress{Edges: 3, Applied: 2, Seconds: 1.5, Stragglers: []string{"slow"}}})
	got := a.Progress(t.Context(), 5)
	if got.Generation != 5 || got.Edges != 3 || got.Applied != 2 || got.Seconds != 1.5 || !slices.Equal(got.Stragglers, []string{"slow"}) {
		t.Errorf("with edges: %+v", got)
	}
}
