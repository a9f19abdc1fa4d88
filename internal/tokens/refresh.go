package tokens

import (
	"sync"
	"time"
)

// refreshPart is the last fraction of a TTL, a fifth, in which a request for facts
// starts a refresh.
const refreshPart = 5

// refreshes holds the IDs being refreshed, so that the thousand requests that a busy
// token makes meanwhile start only one refresh.
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

// refresh looks up a known token in the background, if look-ups are not paused and
// there is a turn now. Otherwise the next request for the token tries again; nothing
// waits. While stale facts are in use, this is also how the end of an outage is
// noticed.
func (r *Resolver) refresh(id ID, knownAt, now time.Time) {
	if r.breaker.refuses(now) || r.own.get(id, now, refreshRest) != nil || !r.refreshes.begin(id) {
		return
	}
	if !r.limits.try(knownLane) || !r.tasks.begin() {
		r.refreshes.end(id)
		return
	}
	go func() {
		defer r.tasks.end()
		defer r.refreshes.end(id)
		// In the shared flight, so that a concurrent request does not ask again.
		since := r.cache.since()
		_, _, _ = r.flights.Do(flight(&id, since), func() (any, error) {
			return r.lookup(lookupRequest{id: id, lane: knownLane, admitted: true, knownAt: knownAt, since: since})
		})
	}()
}
