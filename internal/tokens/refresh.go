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
//
// Facts of the last fifth of a TTL would be refreshed again at once, so younger ones are asked
// for.
func (r *Resolver) refresh(id ID, knownAt, now time.Time, ttl time.Duration) {
	if r.own.get(id, now, refreshRest) != nil {
		return
	}
	if resting, _ := r.lags.get(id, now); resting {
		return
	}
	req := lookupRequest{
		id: id, lane: Known, knownAt: knownAt, after: now.Add(ttl/refreshPart - ttl), exact: ttl == 0, admitted: r.sharing == nil,
	}
	// The others may have facts although look-ups are paused here, and there is no turn.
	if req.admitted && r.breaker.refuses(now) || !r.refreshes.begin(id) {
		return
	}
	if req.admitted && !r.limits.try(Known) || !r.tasks.begin() {
		r.refreshes.end(id)
		return
	}
	go func() {
		defer r.tasks.end()
		defer r.refreshes.end(id)
		// In the shared flight, so that a concurrent request does not ask again.
		req.since = r.cache.since()
		_, err, _ := r.flights.Do(r.flight(&req), func() (any, error) {
			return r.lookup(req)
		})
		if err != nil && r.sharing != nil {
			r.lags.add(id, now, false)
		}
	}()
}
