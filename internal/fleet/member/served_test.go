package member

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// server answers edges, or says so.
type server struct {
	edges    []fleet.Edge
	progress fleet.Progress

	mu    sync.Mutex
	asked []fleet.Generation
}

func (s *server) Edges() []fleet.Edge { return slices.Clone(s.edges) }

func (s *server) Progress(generation fleet.Generation) fleet.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, generation)
	return s.progress
}

func TestServedEdges(t *testing.T) {
	t.Parallel()
	here := func(name string, since int64) fleet.Edge {
		return fleet.Edge{Name: name, Connected: true, Since: time.Unix(since, 0)}
	}
	gone := func(name string, since int64) fleet.Edge {
		return fleet.Edge{Name: name, Since: time.Unix(since, 0)}
	}
	type list = []fleet.Edge
	for name, c := range map[string]struct {
		servers []list
		want    list
	}{
		"none":                         {},
		"one server without edges":     {servers: []list{nil}},
		"in order":                     {servers: []list{{here("b", 2), here("a", 3)}, {here("c", 1), here("a", 1)}}, want: list{here("a", 1), here("a", 3), here("b", 2), here("c", 1)}},
		"moved to another server":      {servers: []list{{gone("a", 5)}, {here("a", 6)}}, want: list{here("a", 6)}},
		"another one moved":            {servers: []list{{gone("a", 5), gone("b", 5)}, {here("a", 6)}}, want: list{here("a", 6), gone("b", 5)}},
		"gone altogether":              {servers: []list{{gone("a", 5)}, {}}, want: list{gone("a", 5)}},
		"two of a name on two servers": {servers: []list{{here("a", 5)}, {here("a", 6)}}, want: list{here("a", 5), here("a", 6)}},
		"two of a name on one, a left": {servers: []list{{gone("a", 5), here("a", 6)}}, want: list{gone("a", 5), here("a", 6)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServed()
			for _, edges := range c.servers {
				s.add(&server{edges: edges})
			}
			for range 10 { // servers are asked in any order
				edges, answers := s.edges()
				if !slices.Equal(edges, c.want) {
					t.Fatalf("edges: %+v", edges)
				}
				if answers != (len(c.servers) > 0) {
					t.Fatalf("answers edges: %t", answers)
				}
			}
		})
	}
}

func TestServedProgress(t *testing.T) {
	t.Parallel()
	many := func(prefix string, count int) (names []string) {
		for i := range count {
			names = append(names, fmt.Sprintf("%s%03d", prefix, i))
		}
		return names
	}
	for name, c := range map[string]struct {
		servers []fleet.Progress
		want    fleet.Progress
	}{
		"none": {want: fleet.Progress{Stragglers: []string{}}},
		"one":  {servers: []fleet.Progress{{Edges: 1, Applied: 1, Seconds: 2}}, want: fleet.Progress{Edges: 1, Applied: 1, Seconds: 2, Stragglers: []string{}}},
		"the sum, and the longest": {
			servers: []fleet.Progress{{Edges: 3, Applied: 1, Seconds: 2, Stragglers: []string{"d", "b"}}, {Edges: 4, Applied: 2, Seconds: 1, Stragglers: []string{"c", "a"}}},
			want:    fleet.Progress{Edges: 7, Applied: 3, Seconds: 2, Stragglers: []string{"a", "b", "c", "d"}},
		},
		"as many as are named": {
			servers: []fleet.Progress{{Edges: 60, Stragglers: many("b", 60)}, {Edges: 40, Stragglers: many("a", 40)}},
			want:    fleet.Progress{Edges: 100, Stragglers: append(many("a", 40), many("b", 60)...)},
		},
		"more than are named": {
			servers: []fleet.Progress{{Edges: 300, Stragglers: many("b", 100)}, {Edges: 300, Stragglers: many("a", 60)}},
			want:    fleet.Progress{Edges: 600, Stragglers: append(many("a", 60), many("b", 40)...)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServed()
			servers := make([]*server, len(c.servers))
			for i, p := range c.servers {
				servers[i] = &server{progress: p}
				s.add(servers[i])
			}
			got := s.progress(9)
			if got.Generation != 9 || got.Edges != c.want.Edges || got.Applied != c.want.Applied || got.Seconds != c.want.Seconds {
				t.Errorf("progress: %+v", got)
			}
			if got.Stragglers == nil || !slices.Equal(got.Stragglers, c.want.Stragglers) {
				t.Errorf("stragglers: %q", got.Stragglers)
			}
			for _, one := range servers {
				if !slices.Equal(one.asked, []fleet.Generation{9}) {
					t.Errorf("asked of %v", one.asked)
				}
			}
		})
	}
}
