package member

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/scopegate/scopegate/internal/fleet"
)

// maxStragglers bounds the names in [fleet.Progress].
const maxStragglers = 100

// Server answers edges, as an [authority.Server] does.
type Server interface {
	Edges() []fleet.Edge
	Progress(generation fleet.Generation) fleet.Progress
}

// served are the servers of one gateway that answer edges. For a moment there are two, when a
// configuration takes the place of another.
type served struct {
	mu      sync.Mutex
	servers map[Server]struct{}
}

func newServed() served { return served{servers: make(map[Server]struct{})} }

func (s *served) add(server Server) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[server] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.servers, server)
	}
}

func (s *served) all() []Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.servers))
}

// edges returns the edges of all servers, and whether there is any server. An edge that moved
// from one to the other is there once.
func (s *served) edges() (edges []fleet.Edge, answers bool) {
	servers := s.all()
	connected := make(map[string]bool)
	for _, server := range servers {
		for _, edge := range server.Edges() {
			connected[edge.Name] = connected[edge.Name] || edge.Connected
			edges = append(edges, edge)
		}
	}
	if len(servers) > 1 {
		edges = slices.DeleteFunc(edges, func(e fleet.Edge) bool { return !e.Connected && connected[e.Name] })
	}
	slices.SortFunc(edges, func(a, b fleet.Edge) int { return cmp.Or(cmp.Compare(a.Name, b.Name), a.Since.Compare(b.Since)) })
	return edges, len(servers) > 0
}

func (s *served) progress(generation fleet.Generation) fleet.Progress {
	sum := fleet.Progress{Generation: generation, Stragglers: []string{}}
	for _, server := range s.all() {
		one := server.Progress(generation)
		sum.Edges += one.Edges
		sum.Applied += one.Applied
		sum.Seconds = max(sum.Seconds, one.Seconds)
		sum.Stragglers = append(sum.Stragglers, one.Stragglers...)
	}
	slices.Sort(sum.Stragglers)
	sum.Stragglers = sum.Stragglers[:min(len(sum.Stragglers), maxStragglers)]
	return sum
}
