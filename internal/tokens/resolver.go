package tokens

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// Observer is told what the resolver does, for metrics and logs. Its methods must
// not block and must be safe for concurrent use.
type Observer interface {
	// CacheUsed tells how a request was served: hit, stale, negative or miss.
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
type Resolver struct {
	directory Directory
	observer  Observer
	now       func() time.Time

	cache   *cache
	flights singleflight.Group
	limiter *rate.Limiter
	slots   atomic.Pointer[chan struct{}] // replaced by Tune
	timeout atomic.Int64                  // a time.Duration
	breaker breaker

	// Look-ups run under the resolver's context, not the first caller's: when that
	// caller leaves, the others still want the answer.
	ctx    context.Context
	cancel context.CancelFunc
	worked atomic.Bool
}

// Option changes how a [Resolver] is made.
type Option func(*Resolver)

// WithClock replaces time.Now, for tests.
func WithClock(now func() time.Time) Option { return func(r *Resolver) { r.now = now } }

// WithObserver sets who is told what happens.
func WithObserver(o Observer) Option { return func(r *Resolver) { r.observer = o } }

// NewResolver returns a resolver that asks the directory. It starts nothing and
// does not use the network until the first [Resolver.Resolve].
func NewResolver(d Directory, s Settings, options ...Option) *Resolver {
	r := &Resolver{
		directory: d,
		observer:  noObserver{},
		now:       time.Now,
		cache:     newCache(s.Size),
		limiter:   rate.NewLimiter(rate.Limit(s.Rate), s.Rate),
	}
	r.Tune(s)
	for _, option := range options {
		option(r)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Tune changes the settings and keeps what is remembered, so that a reload of the
// configuration finds a warm cache. Look-ups under way end under the settings
// they began with.
func (r *Resolver) Tune(s Settings) {
	r.timeout.Store(int64(s.Timeout))
	r.cache.known.Resize(s.Size)
	r.limiter.SetLimit(rate.Limit(s.Rate))
	r.limiter.SetBurst(s.Rate)
	if slots := r.slots.Load(); slots == nil || cap(*slots) != s.Concurrency {
		fresh := make(chan struct{}, s.Concurrency)
		r.slots.Store(&fresh)
	}
}

// Resolve returns the facts about a token. It returns [ErrUnknownToken] for a
// token that the workspace does not have, an [*UnavailableError] where that
// cannot be told, and the context's error when the caller left.
func (r *Resolver) Resolve(ctx context.Context, id ID, fresh Freshness) (Facts, error) {
	now := r.now()
	known, remembered := r.cache.known.Get(id)
	if remembered && now.Sub(known.at) < fresh.TTL {
		r.observer.CacheUsed("hit")
		return Facts{Info: known.info, At: known.at, Source: FromCache}, nil
	}
	if at, ok := r.cache.unknown.Get(id); ok && now.Sub(at) < fresh.NegativeTTL {
		r.observer.CacheUsed("negative")
		return Facts{}, ErrUnknownToken
	}
	facts, err := r.share(ctx, id)
	var outage *UnavailableError
	if errors.As(err, &outage) && remembered && now.Sub(known.at) < fresh.TTL+fresh.MaxStale {
		r.observer.CacheUsed("stale")
		return Facts{Info: known.info, At: known.at, Source: FromStale}, nil
	}
	r.observer.CacheUsed("miss")
	return facts, err
}

// Purge forgets what is known about a token, so that the next request asks the
// workspace. It reports whether anything was known.
func (r *Resolver) Purge(id ID) bool { return r.cache.forget(id) }

// Worked reports whether the admin credential has been accepted at least once.
func (r *Resolver) Worked() bool { return r.worked.Load() }

// Close ends look-ups that are under way and lets go of connections.
func (r *Resolver) Close() {
	r.cancel()
	r.directory.Close()
}

// share lets all who ask for one token at the same time wait for one look-up,
// each under its own context.
//
// It does not wait longer than a look-up may take, even where the SDK does: it
// signs in under a context of its own.
func (r *Resolver) share(ctx context.Context, id ID) (Facts, error) {
	patience := time.NewTimer(time.Duration(r.timeout.Load()))
	defer patience.Stop()
	answer := r.flights.DoChan(string(id[:]), func() (any, error) {
		return r.lookup(id)
	})
	select {
	case <-ctx.Done():
		return Facts{}, ctx.Err()
	case <-patience.C:
		return Facts{}, &UnavailableError{Outage: TimedOut}
	case result := <-answer:
		if result.Err != nil {
			return Facts{}, result.Err
		}
		return result.Val.(Facts), nil
	}
}

func (r *Resolver) lookup(id ID) (Facts, error) {
	probe, err := r.breaker.allow(r.now())
	if err != nil {
		return Facts{}, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(r.timeout.Load()))
	defer cancel()
	leave, err := r.admit(ctx)
	if err != nil {
		if probe {
			r.breaker.abandoned()
		}
		return Facts{}, err
	}
	defer leave()

	started := r.now()
	info, err := r.directory.Lookup(ctx, id)
	now := r.now()
	var outage *UnavailableError
	switch {
	case err == nil:
		r.answered("found", now.Sub(started))
		r.cache.remember(id, info, now)
		return Facts{Info: info, At: now, Source: FromLookup}, nil
	case errors.Is(err, ErrUnknownToken):
		r.answered("unknown", now.Sub(started))
		r.cache.rememberUnknown(id, now)
		return Facts{}, ErrUnknownToken
	case !errors.As(err, &outage):
		outage = &UnavailableError{Outage: BadAnswer, Err: err}
	}
	r.observer.LookedUp(string(outage.Outage), now.Sub(started))
	if r.breaker.failed(now, outage) {
		r.observer.AuthorityChanged(outage)
	}
	return Facts{}, outage
}

// admit waits for a look-up's turn within the limits, and returns what ends it.
// What would have to wait longer than a look-up may take is turned away at once.
func (r *Resolver) admit(ctx context.Context) (leave func(), err error) {
	if err := r.limiter.Wait(ctx); err != nil {
		return nil, &UnavailableError{Outage: Overloaded, RetryAfter: time.Second}
	}
	slots := *r.slots.Load()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, &UnavailableError{Outage: Overloaded, RetryAfter: time.Second}
	}
}

func (r *Resolver) answered(result string, took time.Duration) {
	r.worked.Store(true)
	r.observer.LookedUp(result, took)
	if r.breaker.succeeded() {
		r.observer.AuthorityChanged(nil)
	}
}

type noObserver struct{}

func (noObserver) CacheUsed(string)                   {}
func (noObserver) LookedUp(string, time.Duration)     {}
func (noObserver) AuthorityChanged(*UnavailableError) {}
