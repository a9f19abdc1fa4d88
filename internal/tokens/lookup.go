package tokens

import (
	"context"
	"errors"
	"time"
)

// question is one look-up to make.
type question struct {
	id   ID
	lane lane
	// patient means to wait for a turn; otherwise there must be one now.
	patient bool
	// admitted means that the turn has been taken already.
	admitted bool
	// What was known when it was asked, with zero times for nothing.
	knownAt, unknownAt time.Time
}

// laneOf chooses by what is known about a token before it is asked for.
func (r *Resolver) laneOf(id *ID, known bool) lane {
	switch {
	case known:
		return knownLane
	case r.limits.back.has(id):
		return returningLane
	}
	return firstLane
}

// share lets all who ask for one token at the same time wait for one look-up,
// each under its own context.
//
// It hardly waits longer than a look-up may take, even where the SDK does: that
// signs in under a context of its own. The tenth more lets a look-up that runs out
// of time say so itself, and be counted before the caller asks again.
func (r *Resolver) share(ctx context.Context, q question) (Facts, error) {
	r.Start()
	timeout := time.Duration(r.timeout.Load())
	patience := time.NewTimer(timeout + timeout/10)
	defer patience.Stop()
	answer := r.flights.DoChan(string(q.id[:]), func() (any, error) {
		return r.lookup(q)
	})
	select {
	case <-ctx.Done():
		return Facts{}, ctx.Err()
	case <-r.ctx.Done():
		return Facts{}, &UnavailableError{Outage: Closed}
	case <-patience.C:
		return Facts{}, &UnavailableError{Outage: TimedOut}
	case result := <-answer:
		facts, _ := result.Val.(Facts)
		return facts, result.Err
	}
}

// lookup asks the directory, within the limits and unless an outage says not to.
func (r *Resolver) lookup(q question) (Facts, error) {
	if !r.tasks.begin() {
		return Facts{}, &UnavailableError{Outage: Closed}
	}
	defer r.tasks.end()
	if facts, answered, err := r.meanwhile(q); answered {
		return facts, err
	}
	probe, err := r.breaker.allow(r.now())
	if err != nil {
		return Facts{}, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(r.timeout.Load()))
	defer cancel()
	leave, err := r.admit(ctx, q)
	if err != nil {
		if probe {
			r.breaker.abandoned()
		}
		return Facts{}, err
	}
	defer leave()

	since, asked := r.cache.since(), r.now()
	info, err := r.directory.Lookup(ctx, q.id)
	now := r.now()
	switch {
	case err == nil:
		r.answered("found", now.Sub(asked))
		r.cache.remember(q.id, info, asked, since)
		return Facts{Info: info, At: asked, Source: FromLookup}, nil
	case errors.Is(err, ErrUnknownToken):
		r.answered("unknown", now.Sub(asked))
		r.cache.rememberUnknown(q.id, asked, since)
		return Facts{At: asked}, ErrUnknownToken
	case r.ctx.Err() != nil:
		return Facts{}, &UnavailableError{Outage: Closed} // says nothing about the workspace
	}
	outage := asOutage(err)
	r.observer.LookedUp(string(outage.Outage), now.Sub(asked))
	r.failed(now, outage)
	return Facts{At: asked}, outage
}

// meanwhile returns the answer to the same question that came after this caller
// found none in the memory and before it began to ask.
func (r *Resolver) meanwhile(q question) (facts Facts, answered bool, err error) {
	s := r.cache.shard(&q.id)
	if known, ok := s.known.Peek(q.id); ok && known.at.After(q.knownAt) {
		return Facts{Info: known.info, At: known.at, Source: FromLookup}, true, nil
	}
	if at, ok := s.unknown.Peek(q.id); ok && at.After(q.unknownAt) {
		return Facts{}, true, ErrUnknownToken
	}
	return Facts{}, false, nil
}

// admit waits for a look-up's turn and place, and returns what gives the place
// back.
func (r *Resolver) admit(ctx context.Context, q question) (leave func(), err error) {
	switch {
	case q.admitted:
	case q.patient:
		err = r.limits.wait(ctx, q.lane)
	case !r.limits.try(q.lane):
		err = r.limits.overloaded()
	}
	if err != nil {
		r.limits.back.add(&q.id)
		return nil, err
	}
	r.limits.back.remove(&q.id)
	return r.limits.enter(ctx, q.lane)
}

func (r *Resolver) answered(result string, took time.Duration) {
	r.worked.Store(true)
	r.observer.LookedUp(result, took)
	if r.breaker.succeeded() {
		r.observer.AuthorityChanged(nil)
	}
}

func (r *Resolver) failed(now time.Time, outage *UnavailableError) {
	if r.breaker.failed(now, outage) {
		r.observer.AuthorityChanged(outage)
	}
}

func isOutage(err error) bool {
	var outage *UnavailableError
	return errors.As(err, &outage)
}

// asOutage makes an outage of any error of a directory.
func asOutage(err error) *UnavailableError {
	var outage *UnavailableError
	if errors.As(err, &outage) {
		return outage
	}
	return &UnavailableError{Outage: BadAnswer, Err: err}
}
