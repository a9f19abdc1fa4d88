package tokens

import (
	"sync"
	"time"
)

// refreshPart is the part of a ttl, its last fifth, in which asking for facts has
// them refreshed.
const refreshPart = 5

// refreshes are the ids being refreshed, so that the thousand requests that a
// busy token makes meanwhile start one refresh only.
type refreshes struct {
	mu  sync.Mutex
	ids map[ID]struct{}
}

func (s *refreshes) begin(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, running := s.ids[id]; running {
		return false
	}
	if s.ids == nil {
		s.ids = make(map[ID]struct{})
	}
	s.ids[id] = struct{}{}
	return true
}

func (s *refreshes) end(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}

// refresh asks for a known token in the background, if there is a turn now and
// the workspace can be asked. Otherwise the next request for the token tries
// again: nothing waits for it. It is also what finds out, while stale facts are
// in use, that an outage is over.
func (r *Resolver) refresh(id ID, knownAt, now time.Time) {
	if r.breaker.refuses(now) || !r.refreshes.begin(id) {
		return
	}
	if !r.limits.try(knownLane) || !r.tasks.begin() {
		r.refreshes.end(id)
		return
	}
	go func() {
		defer r.tasks.end()
		defer r.refreshes.end(id)
		// A flight of its own would let a request that comes meanwhile ask again.
		_, _, _ = r.flights.Do(string(id[:]), func() (any, error) {
			return r.lookup(question{id: id, lane: knownLane, admitted: true, knownAt: knownAt})
		})
	}()
}
