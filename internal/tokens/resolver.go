package tokens

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Observer learns what a [Resolver] does, for metrics and logs. Its methods must not
// block and must be safe for concurrent use. It may implement [SyncObserver] too.
type Observer interface {
	// CacheUsed reports how a request was served: "hit", "stale", "negative" or "miss".
	// It is called once for every request, so it should cost no more than a counter.
	CacheUsed(event string)
	// LookedUp reports one look-up: its result ("found", "unknown", "unusable" if it failed
	// for this token only, or else an [Outage]) and how long it took.
	LookedUp(result string, took time.Duration)
	// ServiceChanged reports that the token service stopped working, with the reason,
	// or works, for the first time or again, with nil.
	ServiceChanged(err *UnavailableError)
	// Waited reports a request that waited for a look-up in vain: the error that it got
	// and how long it waited, next to nothing while look-ups pause. Stale reports that
	// facts from the cache served it all the same.
	Waited(err error, took time.Duration, stale bool)
}

// Resolver finds the facts about tokens, from its cache or by asking a [Service]. It is
// safe for concurrent use, and meant to be shared by all handlers that judge requests
// for one workspace with one admin credential.
//
// # What a flood of invented tokens can and cannot do
//
// Each invented token costs one look-up, until the limits are reached. From then on
// they are turned away. Known tokens are not affected: they are served from the cache,
// and half of the rate and a fourth of the concurrency are reserved for refreshing
// them. What suffers is the first look-up of a valid token, which looks the same as the
// flood and shares a quarter of the rate with it: at ten thousand invented tokens a
// second, almost none gets through at the first try. A client that retries within
// seconds, as the SDKs do, competes for another quarter of the rate, which the flood
// cannot use unless it repeats its values. Two things help further: [Settings.Sync],
// with which a token needs a look-up only if it is newer than the last list, and a limit
// on requests by client address in front of the gateway.
type Resolver struct {
	service   Service
	workspace interface{ WorkspaceID() int64 } // the service, or nil if it does not know
	observer  Observer
	sharing   Sharing        // nil for none
	changes   ChangeObserver // nil for none
	now       func() time.Time
	// jitter returns a random time up to the one given.
	jitter func(time.Duration) time.Duration

	cache     *cache
	flights   singleflight.Group
	refreshes refreshes
	limits    limits
	own       ownFailures
	lags      lags
	health    health
	timeout   atomic.Int64 // a time.Duration
	breaker   Breaker
	sync      syncing
	refills   refilling
	doubts    doubting
	listed    listing
	following following
	listless  atomic.Bool // the service cannot list tokens

	// Look-ups run under the resolver's context, not the first caller's: when that
	// caller leaves, the others still want the answer.
	ctx    context.Context
	cancel context.CancelFunc
	tasks  tasks
	worked atomic.Bool
}

// Option configures a [Resolver].
type Option func(*Resolver)

// WithClock replaces time.Now, for tests.
func WithClock(now func() time.Time) Option { return func(r *Resolver) { r.now = now } }

// WithObserver sets the observer.
func WithObserver(o Observer) Option { return func(r *Resolver) { r.observer = o } }

// withJitter replaces the random jitter, for tests.
func withJitter(jitter func(time.Duration) time.Duration) Option {
	return func(r *Resolver) { r.jitter = jitter }
}

// NewResolver returns a resolver that asks a token service. It starts nothing and does
// not use the network before the first look-up. Close it.
func NewResolver(service Service, s Settings, options ...Option) *Resolver {
	r := &Resolver{
		service:  service,
		observer: noObserver{},
		now:      time.Now,
		jitter:   randomUpTo,
		cache:    newCache(s.Size),
		own:      newOwnFailures(),
		lags:     newLags(),
	}
	r.workspace, _ = service.(interface{ WorkspaceID() int64 })
	for _, option := range options {
		option(r)
	}
	r.limits.now, r.limits.jitter, r.breaker.jitter = r.now, r.jitter, r.jitter
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.Tune(s)
	return r
}

func randomUpTo(d time.Duration) time.Duration { return rand.N(max(d, 1)) }

// Tune changes the settings and keeps the cache, so that a reload of the configuration
// finds it warm. Look-ups in progress keep their settings.
func (r *Resolver) Tune(s Settings) {
	r.timeout.Store(int64(s.Timeout))
	r.cache.resize(s.Size)
	r.limits.tune(s.Rate, s.Concurrency)
	r.tuneSync(s.Sync)
}

const (
	// maxLooks is how often one request looks again because its token, or any, was changed
	// while it waited for an answer.
	maxLooks = 3
	// lookAgain is how long a request may have waited for it to look again.
	lookAgain = time.Second
)

// resolve is Resolve for readers who judge by themselves what is unknown.
//
// A request that waits while something is changed looks again, once and if it has not
// waited for long. Then it is judged by what was asked for after it arrived, whatever was
// changed since: it is as if it had come just before that change. So changes without end
// make requests wait, but turn none away.
func (r *Resolver) resolve(ctx context.Context, id ID, fresh Freshness) (Facts, error) {
	began, arrived := r.now(), r.cache.since()
	for looks := range maxLooks {
		facts, err := r.resolveOnce(ctx, id, fresh, func(f *fact) bool {
			return f.since >= arrived && (looks > 0 || r.now().Sub(began) >= lookAgain)
		})
		if !errors.Is(err, errOvertaken) {
			return facts, err
		}
	}
	err := r.limits.overloaded()
	r.observer.Waited(err, r.now().Sub(began), false)
	r.observer.CacheUsed("miss")
	return Facts{}, err
}

// errOvertaken says that what a look-up found was purged before it could be used.
var errOvertaken = errors.New("the facts were purged")

// resolveOnce looks once. It returns errOvertaken for facts that were overtaken by a change,
// unless they will do.
func (r *Resolver) resolveOnce(ctx context.Context, id ID, fresh Freshness, willDo func(*fact) bool) (Facts, error) {
	now := r.now()
	shard := r.cache.shard(&id)
	known, kept := shard.find(id)
	forgotten := kept && (!r.cache.current(&known) || r.cache.doubts(&known))
	if age := now.Sub(known.at); kept && !forgotten && age < fresh.TTL {
		if age >= fresh.TTL-fresh.TTL/refreshPart {
			r.refresh(id, known.at, now, fresh.TTL)
		}
		r.observer.CacheUsed("hit")
		return Facts{Info: known.info, At: known.at, Source: FromCache}, nil
	}
	unknownAt, unknown := shard.unknown.Get(id)
	if unknown && now.Sub(unknownAt) < fresh.NegativeTTL {
		r.observer.CacheUsed("negative")
		return Facts{}, ErrUnknownToken
	}

	stale := kept && r.spare(&known, now, fresh)
	if stale && r.breaker.outage() != nil {
		// In an outage, don't wait for a probe if stale facts will do.
		r.refresh(id, known.at, now, fresh.TTL)
		r.observer.CacheUsed("stale")
		return Facts{Info: known.info, At: known.at, Source: FromStale}, nil //nolint:nilerr // stale facts will do
	}
	found, err := r.share(ctx, lookupRequest{
		id: id, lane: r.laneOf(&id, kept), patient: !stale,
		knownAt: known.at, unknownAt: unknownAt, rest: fresh.NegativeTTL, forgotten: forgotten,
		after: fresh.oldest(&id, now), exact: fresh.TTL == 0,
	})
	if err == nil && (r.cache.gone(&found) || r.cache.overtaken(&found) && !willDo(&found)) {
		return Facts{}, errOvertaken
	}
	old := r.tooOld(&found, err, now, known.at, fresh)
	switch {
	case old && found.origin == fromFleet:
		return Facts{}, errOvertaken // it was young enough for another reader
	case old:
		err = tooOld()
	}
	if stale || forgotten || old { // unless they were purged in the meantime
		known, kept = shard.known.Peek(id)
		stale = kept && r.spare(&known, r.now(), fresh)
	}
	if err != nil && !errors.Is(err, ErrUnknownToken) && ownErr(err) == nil && id != neutral {
		r.observer.Waited(err, r.now().Sub(now), stale && isOutage(err))
	}
	if stale && excuses(err) {
		r.observer.CacheUsed("stale")
		return Facts{Info: known.info, At: known.at, Source: FromStale}, nil
	}
	r.observer.CacheUsed("miss")
	if err != nil {
		return Facts{At: found.at}, err
	}
	return Facts{Info: found.info, At: found.at, Source: FromLookup}, nil
}

// spare reports whether facts may serve while better ones cannot be had.
func (r *Resolver) spare(known *fact, now time.Time, fresh Freshness) bool {
	most := fresh.TTL + fresh.MaxStale
	if r.cache.doubts(known) {
		most = min(most, doubtGrace)
	}
	return r.cache.current(known) && now.Sub(known.at) < most
}

// Purge forgets what is known about a token that was just created, changed or revoked,
// including that it was unknown. The next request asks the workspace, even if a look-up
// that started earlier is in progress. Call it after the workspace has answered, not
// before. It reports whether anything was known.
func (r *Resolver) Purge(id ID) bool {
	r.own.forget(id)
	r.lags.forget(id)
	return r.cache.forget(id)
}

// ForgetOwner is [Resolver.Purge] for all tokens that belong to, or were created by, a
// user or service principal, and for those of which that is not known.
func (r *Resolver) ForgetOwner(id int64) {
	r.own.forgetAll()
	r.lags.forgetAll()
	r.cache.forgetOwner(id)
}

// ForgetAll is [Resolver.Purge] for all tokens. If they are many, it asks for the list of
// all tokens, once, instead of leaving each to its own look-up.
func (r *Resolver) ForgetAll() {
	r.own.forgetAll()
	r.lags.forgetAll()
	r.cache.forgetAll()
	r.refill()
}

// ForgetUnknown forgets which tokens are unknown. Call it when a token was created whose
// ID the caller does not know.
func (r *Resolver) ForgetUnknown() {
	r.lags.forgetAll()
	r.cache.forgetUnknown()
}

// IDs returns the IDs of known tokens, up to a limit and in no particular order.
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

// Known reports whether there are facts about a token that are not forgotten, whatever their
// age, or whether it is known that there is no such token. It asks nobody.
func (r *Resolver) Known(id ID) bool {
	shard := r.cache.shard(&id)
	known, ok := shard.known.Peek(id)
	return ok && r.cache.current(&known) || shard.unknown.Contains(id)
}

// Len returns the number of known tokens.
func (r *Resolver) Len() int { return r.cache.len() }

// Worked reports whether the workspace has accepted the admin credential at least once.
func (r *Resolver) Worked() bool { return r.worked.Load() }

// Outage returns why look-ups are failing, as far as known without asking. It is ""
// while they work, and before the first.
func (r *Resolver) Outage() Outage {
	if outage := r.breaker.outage(); outage != nil {
		return outage.Outage
	}
	return ""
}

// WorkspaceID returns the workspace ID of the workspace's last answer, 0 before the
// first. A token whose [Info.WorkspaceID] differs does not belong to this workspace.
func (r *Resolver) WorkspaceID() int64 {
	if r.workspace == nil {
		return 0
	}
	return r.workspace.WorkspaceID()
}

// Close cancels look-ups, refreshes and lists in progress, closes connections, and waits
// until nothing is running. The cache can still be read.
func (r *Resolver) Close() {
	r.cancel()
	r.service.Close()
	r.tasks.close()
}

// tasks counts what is running, so that closing can wait for it.
type tasks struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// begin reports whether a new task may run; if so, call end after it.
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

func (noObserver) CacheUsed(string)                  {}
func (noObserver) LookedUp(string, time.Duration)    {}
func (noObserver) ServiceChanged(*UnavailableError)  {}
func (noObserver) Waited(error, time.Duration, bool) {}
