package tokens

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Observer is told what the resolver does, for metrics and logs. Its methods must
// not block and must be safe for concurrent use. An observer that is a
// [SyncObserver] too is also told of the list of all tokens.
type Observer interface {
	// CacheUsed tells how a request was served: hit, stale, negative or miss. It is
	// called once for every request, so it should cost no more than a counter.
	CacheUsed(event string)
	// LookedUp tells the outcome of one look-up: found, unknown or an [Outage].
	LookedUp(result string, took time.Duration)
	// AuthorityChanged tells that look-ups stopped working (with the reason) or
	// work again (nil).
	AuthorityChanged(err *UnavailableError)
}

// Resolver finds the facts about tokens: from memory, or by asking a [Directory].
// It is safe for concurrent use, and meant to be shared by all handlers that
// judge requests for one workspace with one admin credential.
//
// # What a flood can and cannot do
//
// Values that have the shape of a token but are none cost one look-up each, until
// the limits are reached. From then on they are turned away, and nothing else
// changes for tokens that are known: they are served from memory, and half of the
// rate and a fourth of the concurrency are kept for refreshing them. What a flood
// does harm is the first look-up of a good token, which looks the same as the
// flood: it shares a quarter of the rate with it, so that at ten thousand
// invented tokens a second next to nobody gets through at the first try. Whoever
// tries again within seconds, as the SDKs do, has a quarter of the rate apart from
// the flood, unless the flood repeats its values too. Two things help against
// that: [Settings.Sync], with which no token needs a first look-up unless it is
// younger than the last list, and a limit on requests by client address in front.
type Resolver struct {
	directory Directory
	workspace interface{ WorkspaceID() int64 } // the directory, if it knows; else nil
	observer  Observer
	now       func() time.Time
	// jitter returns a random time up to the one given.
	jitter func(time.Duration) time.Duration

	cache     *cache
	flights   singleflight.Group
	refreshes refreshes
	limits    limits
	timeout   atomic.Int64 // a time.Duration
	breaker   breaker
	sync      syncing

	// Look-ups run under the resolver's context, not the first caller's: when that
	// caller leaves, the others still want the answer.
	ctx    context.Context
	cancel context.CancelFunc
	tasks  tasks
	worked atomic.Bool
}

// Option changes how a [Resolver] is made.
type Option func(*Resolver)

// WithClock replaces time.Now, for tests.
func WithClock(now func() time.Time) Option { return func(r *Resolver) { r.now = now } }

// WithObserver sets who is told what happens.
func WithObserver(o Observer) Option { return func(r *Resolver) { r.observer = o } }

// withJitter replaces chance, for tests.
func withJitter(jitter func(time.Duration) time.Duration) Option {
	return func(r *Resolver) { r.jitter = jitter }
}

// NewResolver returns a resolver that asks the directory. It starts nothing and
// does not use the network until the first look-up.
func NewResolver(d Directory, s Settings, options ...Option) *Resolver {
	r := &Resolver{
		directory: d,
		observer:  noObserver{},
		now:       time.Now,
		jitter:    randomUpTo,
		cache:     newCache(s.Size),
	}
	r.workspace, _ = d.(interface{ WorkspaceID() int64 })
	for _, option := range options {
		option(r)
	}
	r.limits.now, r.limits.jitter, r.breaker.jitter = r.now, r.jitter, r.jitter
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.Tune(s)
	return r
}

func randomUpTo(d time.Duration) time.Duration { return rand.N(max(d, 1)) }

// Tune changes the settings and keeps what is remembered, so that a reload of the
// configuration finds a warm cache. Look-ups under way end under the settings
// they began with.
func (r *Resolver) Tune(s Settings) {
	r.timeout.Store(int64(s.Timeout))
	r.cache.resize(s.Size)
	r.limits.tune(s.Rate, s.Concurrency)
	r.tuneSync(s.Sync)
}

// Resolve returns the facts about a token. It returns [ErrUnknownToken] for a
// token that the workspace does not have, an [*UnavailableError] where that
// cannot be told, and the context's error when the caller left. Beside an error
// [Facts.At] is when the workspace was asked, and zero where it was not.
func (r *Resolver) Resolve(ctx context.Context, id ID, fresh Freshness) (Facts, error) {
	now := r.now()
	shard := r.cache.shard(&id)
	known, remembered := shard.find(id)
	var age time.Duration
	if remembered {
		age = now.Sub(known.at)
		if age < fresh.TTL {
			if age >= fresh.TTL-fresh.TTL/refreshPart {
				r.refresh(id, known.at, now)
			}
			r.observer.CacheUsed("hit")
			return Facts{Info: known.info, At: known.at, Source: FromCache}, nil
		}
	}
	unknownAt, unknown := shard.unknown.Get(id)
	if unknown && now.Sub(unknownAt) < fresh.NegativeTTL {
		r.observer.CacheUsed("negative")
		return Facts{}, ErrUnknownToken
	}

	stale := remembered && age < fresh.TTL+fresh.MaxStale
	if stale && r.breaker.outage() != "" {
		// In an outage nobody who can do without the answer waits for a probe.
		r.refresh(id, known.at, now)
		r.observer.CacheUsed("stale")
		return Facts{Info: known.info, At: known.at, Source: FromStale}, nil
	}
	facts, err := r.share(ctx, question{
		id: id, lane: r.laneOf(&id, remembered), patient: !stale,
		knownAt: known.at, unknownAt: unknownAt,
	})
	if stale && isOutage(err) {
		r.observer.CacheUsed("stale")
		return Facts{Info: known.info, At: known.at, Source: FromStale}, nil
	}
	r.observer.CacheUsed("miss")
	return facts, err
}

// Purge forgets what is known about a token, so that the next request asks the
// workspace: a look-up under way that began before is of no use to it. It reports
// whether anything was known.
func (r *Resolver) Purge(id ID) bool {
	known := r.cache.forget(id)
	r.flights.Forget(string(id[:]))
	return known
}

// Invalidate purges a token that was just made, changed or revoked. Call it when
// the workspace has answered, not before. That it was unknown is forgotten too, so
// that a token just made works at once.
func (r *Resolver) Invalidate(id ID) { r.Purge(id) }

// ForgetUnknown forgets which tokens are unknown, for when one was just made whose
// id the caller does not know.
func (r *Resolver) ForgetUnknown() { r.cache.forgetUnknown() }

// IDs returns the ids of known tokens, in no order, and at most a number of them.
func (r *Resolver) IDs(limit int) []ID {
	ids := make([]ID, 0, min(limit, r.Len()))
	for i := range r.cache.shards {
		for _, id := range r.cache.shards[i].known.Keys() {
			if len(ids) == limit {
				return ids
			}
			ids = append(ids, id)
		}
	}
	return ids
}

// Len returns how many tokens are known.
func (r *Resolver) Len() int { return r.cache.len() }

// Worked reports whether the admin credential has been accepted at least once.
func (r *Resolver) Worked() bool { return r.worked.Load() }

// Outage returns why look-ups do not work now, as far as known without asking. It
// is empty while they work, and before the first.
func (r *Resolver) Outage() Outage { return r.breaker.outage() }

// WorkspaceID returns the id of the workspace as it introduced itself when it
// last answered the admin credential, 0 before that. Facts with another
// WorkspaceID are about a token that is not good here.
func (r *Resolver) WorkspaceID() int64 {
	if r.workspace == nil {
		return 0
	}
	return r.workspace.WorkspaceID()
}

// Close ends look-ups, refreshes and lists that are under way, lets go of
// connections, and waits until nothing runs any more. What is remembered can
// still be read.
func (r *Resolver) Close() {
	r.cancel()
	r.directory.Close()
	r.tasks.close()
}

// tasks counts what runs in the background.
type tasks struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// begin reports whether something new may run; if so, call end after it.
func (t *tasks) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.wg.Add(1)
	}
	return !t.closed
}

func (t *tasks) end() { t.wg.Done() }

func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}

type noObserver struct{}

func (noObserver) CacheUsed(string)                   {}
func (noObserver) LookedUp(string, time.Duration)     {}
func (noObserver) AuthorityChanged(*UnavailableError) {}
