package authority

import (
	"cmp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// maxStragglers bounds the names in [fleet.Progress].
const maxStragglers = 100

// Edges returns the edges that are subscribed, one for each stream, and those that left within
// five minutes, in the order of their names.
func (s *Server) Edges() []fleet.Edge {
	epoch, last := s.options.Log.Position()
	now := s.options.Now()
	g := s.edges
	g.mu.Lock()
	all := make([]fleet.Edge, 0, g.streams)
	for _, e := range g.connected {
		for _, st := range e.streams {
			all = append(all, fleet.Edge{
				Name: st.name, Authority: s.options.Name, Version: st.version, Generation: st.acked,
				Behind: !st.applied(epoch, last), Connected: true, Since: st.since, Seen: later(st.seen, e.seen),
			})
		}
	}
	for _, e := range g.others.Values() {
		if len(all) >= 2*g.limits.Edges {
			break
		}
		if e.since.IsZero() || now.Sub(e.since) >= goneAge {
			continue
		}
		all = append(all, fleet.Edge{
			Name: e.name, Authority: s.options.Name, Version: e.version, Generation: e.acked,
			Behind: e.acked < last, Since: e.since, Seen: e.seen,
		})
	}
	g.mu.Unlock()
	slices.SortFunc(all, func(a, b fleet.Edge) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Since.Compare(b.Since))
	})
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// applied reports whether a stream's edge has applied a change. It is called with the
// registry's lock.
func (st *stream) applied(epoch string, generation fleet.Generation) bool {
	return st.position.Epoch == epoch && st.acked >= generation && (st.confirmed || st.acked > 0)
}

// Progress returns how far a change has come among the edges that are subscribed here.
func (s *Server) Progress(generation fleet.Generation) fleet.Progress {
	epoch, _ := s.options.Log.Position()
	progress := fleet.Progress{Generation: generation, Stragglers: []string{}}
	if at, ok := s.published.of(epoch, generation); ok {
		progress.Seconds = max(0, s.options.Now().Sub(at).Seconds())
	}
	g := s.edges
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.connected {
		for _, st := range e.streams {
			progress.Edges++
			switch {
			case st.applied(epoch, generation):
				progress.Applied++
			case len(progress.Stragglers) < maxStragglers:
				progress.Stragglers = append(progress.Stragglers, st.name)
			}
		}
	}
	slices.Sort(progress.Stragglers)
	return progress
}
