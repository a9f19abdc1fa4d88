package tokens

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxFound is how many tokens [Sharing.FindMany] is asked about at once, and maxShared how
	// many answers are shared at once.
	maxFound  = 500
	maxShared = 500

	// clockSkew is how far the clocks of gateways may differ for a list to be believed.
	clockSkew = 5 * time.Second
)

// following is what is known of the lists of all tokens that any gateway shared.
type following struct {
	mu      sync.Mutex
	running bool
	wanted  time.Time     // when the last list was asked for that this gateway heard of
	applied time.Time     // likewise, that its cache knows
	since   uint64        // when the last was read from the store, on the clock of purges
	ended   chan struct{} // closed when the next one was read; nil if nobody waits
}

// Listed refreshes the facts about all known tokens from what another gateway shared: the
// list of all tokens that it asked for at a time. It returns at once.
func (r *Resolver) Listed(at time.Time) {
	f := &r.following
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.sharing == nil || !at.After(f.wanted) || at.After(r.now().Add(clockSkew)) {
		return
	}
	f.wanted = at
	if f.running || !r.tasks.begin() {
		return
	}
	f.running = true
	go r.followUntilCurrent()
}

// listedHere notes a list that this gateway asked for and shared.
func (f *following) listedHere(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted, f.applied = latest(f.wanted, at), latest(f.applied, at)
}

// floor returns what shared facts must be later than, because all tokens were listed then.
// Stores may keep only milliseconds.
func (f *following) floor() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied.IsZero() {
		return time.Time{}
	}
	return f.applied.Add(-time.Millisecond).Truncate(time.Millisecond)
}

// next returns what is closed when the next list was read from the store, and whether one was
// since a moment on the clock of purges.
func (f *following) next(since uint64) (ended <-chan struct{}, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil {
		f.ended = make(chan struct{})
	}
	return f.ended, since > 0 && f.since >= since
}

func (r *Resolver) followUntilCurrent() {
	defer r.tasks.end()
	f := &r.following
	for last := (time.Time{}); ; {
		f.mu.Lock()
		at := f.wanted
		if !at.After(last) {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		since, ok := r.follow(at)
		last = at
		if ok {
			f.end(at, since)
		}
	}
}

// end notes that a list was read.
func (f *following) end(at time.Time, since uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied, f.since = latest(f.applied, at), max(f.since, since)
	if f.ended != nil {
		close(f.ended)
		f.ended = nil
	}
}

// follow reads from the store what a list said of the known tokens, except where something
// newer is known. Those that are missing are forgotten, so that the next request asks: what is
// missing may have been revoked, or evicted from the store. If that is more than half, and more
// than can be looked up in a second, the store is not believed to have the list.
func (r *Resolver) follow(at time.Time) (since uint64, ok bool) {
	since = r.cache.since()
	known := r.cache.olderThan(at)
	var missing []ID
	for ids := range slices.Chunk(known, maxFound) {
		answers, complete := r.sharing.FindMany(r.ctx, ids)
		if !complete || r.ctx.Err() != nil {
			return since, false
		}
		found := make(map[ID]struct{}, len(answers))
		for _, answer := range answers {
			if r.adopt(answer, at, since) {
				found[answer.ID] = struct{}{}
			}
		}
		for _, id := range ids {
			if _, ok := found[id]; !ok {
				missing = append(missing, id)
			}
		}
	}
	if 2*len(missing) > len(known) && float64(len(missing)) > r.limits.perSecond() {
		return since, false
	}
	for _, id := range missing {
		if r.cache.dropOlder(id, at, since) {
			r.limits.returning.add(&id) // it was known
		}
	}
	return since, true
}

// adopt remembers an answer that is not older than a list, and reports whether it is one.
func (r *Resolver) adopt(answer Answer, list time.Time, since uint64) bool {
	if answer.At.Before(list.Truncate(time.Millisecond)) || answer.Info != nil && answer.Info.ID != answer.ID {
		return false
	}
	asked := earlier(answer.At, r.now())
	if answer.Info == nil {
		r.cache.rememberUnknown(answer.ID, asked, since)
		return true
	}
	f := fact{info: answer.Info, at: asked, since: since, origin: fromFleet, listed: true}
	if stored, _ := r.cache.rememberFact(answer.ID, f); stored {
		r.learned(answer.Info)
	}
	return true
}

// olderThan returns the known tokens whose facts are older than a time, forgotten or doubted.
func (c *cache) olderThan(at time.Time) (ids []ID) {
	for i := range c.shards {
		s := &c.shards[i]
		for _, id := range s.known.Keys() {
			if f, ok := s.known.Peek(id); ok && (f.at.Before(at) || !c.current(&f) || c.doubts(&f)) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// dropOlder forgets a token unless something newer is known of it.
func (c *cache) dropOlder(id ID, at time.Time, since uint64) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known.Peek(id)
	if !ok || !known.at.Before(at) && c.current(&known) && !c.doubts(&known) || s.purgedSince(id, since) {
		return false
	}
	return s.known.Remove(id)
}

// lead reports whether this gateway asks for the list of all tokens.
func (r *Resolver) lead(ctx context.Context, every time.Duration) bool {
	return r.sharing == nil || r.sharing.LeadList(ctx, every)
}

// listOrFollow asks for the list of all tokens, unless another gateway does: then it waits for
// what that one shares, and if it shares nothing, asks as well. Since is what it must be later
// than, on the clock of purges.
func (r *Resolver) listOrFollow(ctx context.Context, since uint64) {
	if r.sharing == nil {
		r.syncOnce(ctx)
		return
	}
	last := time.NewTimer(listTimeout)
	defer last.Stop()
	for {
		ended, done := r.following.next(since)
		if done {
			return
		}
		if r.breaker.refuses(r.now()) || r.lead(ctx, refillPause) {
			r.syncOnce(ctx)
			return
		}
		again := time.NewTimer(refillRest)
		select {
		case <-ended:
		case <-again.C:
		case <-last.C:
			r.syncOnce(ctx)
			return
		case <-ctx.Done():
			again.Stop()
			return
		}
		again.Stop()
	}
}

// tellList tells the others what a list said that was asked for at a time and, on the clock of
// purges, at since. Changed are the answers that differ from what was known.
func (r *Resolver) tellList(list []*Info, changed []Answer, at time.Time, since uint64, mark Mark) {
	r.changed(changed)
	if r.sharing == nil || r.cache.allPurgedSince(since) {
		return
	}
	news := make(map[ID]struct{}, len(changed))
	answers := make([]Answer, 0, len(list)+len(changed))
	for _, answer := range changed {
		news[answer.ID] = struct{}{}
		if answer.Info == nil {
			answers = append(answers, answer)
		}
	}
	for _, info := range list {
		if _, isNew := news[info.ID]; !r.cache.purgedFact(info, since) {
			answers = append(answers, Answer{ID: info.ID, Info: info, At: at, Changed: isNew})
		}
	}
	for part := range slices.Chunk(answers, maxShared) {
		if r.ctx.Err() != nil {
			return
		}
		r.sharing.Share(mark, part...)
	}
	r.following.listedHere(at)
	r.sharing.Listed(mark, at)
}

// allPurgedSince reports whether all tokens were forgotten or doubted after a moment on the
// clock of purges.
func (c *cache) allPurgedSince(since uint64) bool {
	return since < c.forgotten.Load() || since < c.doubted.Load()
}

// purgedFact reports whether a token or its owner was purged after a moment on the clock of
// purges.
func (c *cache) purgedFact(info *Info, since uint64) bool {
	return c.purgedSince(info.ID, since) || c.ownerChanged(info, since)
}
