package tokens

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxOwnFailures bounds how many tokens are remembered whose own look-ups fail. Only
	// a token that the workspace knows can be one of them: the others are unknown.
	maxOwnFailures = 10_000

	// refreshRest is how long a token is not refreshed after its own look-up failed.
	refreshRest = 10 * time.Second
)

// ownFailures remembers the tokens whose own look-ups fail while others work. What the
// workspace answers about one token, a client can repeat as often as it likes: it must
// cost neither look-ups nor the trust in the workspace, see [Resolver.settle].
type ownFailures struct {
	mu     sync.Mutex
	recent *simplelru.LRU[ID, ownFailure]
}

type ownFailure struct {
	err *UnavailableError
	at  time.Time // when the workspace was asked
}

func newOwnFailures() ownFailures {
	return ownFailures{recent: must(simplelru.NewLRU[ID, ownFailure](maxOwnFailures, nil))}
}

// get returns the failure of a token that is younger than an age, nil for none.
func (f *ownFailures) get(id ID, now time.Time, age time.Duration) *ownFailure {
	f.mu.Lock()
	defer f.mu.Unlock()
	failure, ok := f.recent.Peek(id)
	if !ok || now.Sub(failure.at) >= age {
		return nil
	}
	return &failure
}

func (f *ownFailures) add(id ID, failure ownFailure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent.Add(id, failure)
}

func (f *ownFailures) forget(id ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent.Remove(id)
}

func (f *ownFailures) forgetAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent.Purge()
}

// ownErr returns the failure of a token's own look-up, nil for any other error.
func ownErr(err error) *UnavailableError {
	if err == nil {
		return nil // as for most requests
	}
	if outage, ok := errors.AsType[*UnavailableError](err); ok && outage.own {
		return outage
	}
	return nil
}

// excuses reports whether stale facts may be used in place of the answer that failed. If
// the workspace did say something of this very token, which cannot be used, they may not:
// it could be that it was narrowed.
func excuses(err error) bool {
	if own := ownErr(err); own != nil {
		switch own.Outage {
		case Unreachable, TimedOut, Throttled, ServerError, AuthorityUnreachable:
			return true
		}
		return false
	}
	return isOutage(err)
}

// TokenObserver is an [Observer] that is also told of single tokens that cannot be judged
// while look-ups work. Its methods must not block.
type TokenObserver interface {
	// Unusable counts answers about single tokens that cannot be used, by their kind: an
	// [Unusable], or an [Outage] if there was no answer. With [NoExpiry], readers may
	// use the facts all the same.
	Unusable(kind string, answers int)
	// Unjudgeable reports a request that was turned away for such an answer.
	Unjudgeable(id ID, err *UnavailableError)
}

// InfoObserver is an [Observer] that is also told what was learned of tokens, by look-ups
// and from lists, and so perhaps again and again of the same. Learned must not block.
type InfoObserver interface {
	Learned(info *Info)
}

func (r *Resolver) learned(infos ...*Info) {
	o, ok := r.observer.(InfoObserver)
	if !ok {
		return
	}
	for _, info := range infos {
		o.Learned(info)
	}
}

// remember remembers that a token's own look-up failed.
func (r *Resolver) remember(id ID, own *UnavailableError, asked time.Time, since uint64) {
	r.unusable(own.Kind(), 1)
	if !r.cache.purgedSince(id, since) {
		r.own.add(id, ownFailure{own, asked})
	}
}

func (r *Resolver) unusable(kind string, answers int) {
	if o, ok := r.observer.(TokenObserver); ok && answers > 0 {
		o.Unusable(kind, answers)
	}
}

// unjudgeable returns what a request gets for a token that cannot be judged, and tells
// the observer.
func (r *Resolver) unjudgeable(id ID, err *UnavailableError, wait time.Duration) *UnavailableError {
	if o, ok := r.observer.(TokenObserver); ok {
		o.Unjudgeable(id, err)
	}
	told := *err
	told.RetryAfter = max(told.RetryAfter, wait)
	return &told
}

// purgedSince reports whether a token was purged after a moment on the clock of purges.
func (c *cache) purgedSince(id ID, since uint64) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purgedSince(id, since)
}
