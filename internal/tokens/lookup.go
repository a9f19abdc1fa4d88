package tokens

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// lookupRequest is one look-up to make.
type lookupRequest struct {
	ctx  context.Context // of the look-up, once it is under way
	id   ID
	lane Lane
	// patient means to wait for a turn; otherwise there must be one now.
	patient bool
	// admitted means that the turn has already been taken.
	admitted bool
	// When the cached answers were obtained that the caller has seen; zero for none.
	knownAt, unknownAt time.Time
	// rest is how long the token is not looked up after its own look-up failed.
	rest time.Duration
	// probe means that the breaker has let this look-up through as a probe.
	probe bool
	// forgotten means that all tokens were forgotten or doubted since this one was known.
	forgotten bool
	// since is when the caller asked, on the clock of purges.
	since uint64
	// after is the beginning of the time that facts may be old for the caller.
	after time.Time
	// exact means that they must not be old at all.
	exact bool
}

// laneOf chooses a lane by what is known of a token before the look-up.
func (r *Resolver) laneOf(id *ID, known bool) Lane {
	switch {
	case known:
		return Known
	case r.limits.returning.has(id):
		return Returning
	}
	return First
}

// share makes all concurrent callers for one token wait for one look-up, each under its
// own context.
//
// A caller waits hardly longer than a look-up may take, even if the SDK does: it signs
// in under a context of its own. The extra tenth lets a look-up that times out report
// that itself, and be counted before the caller retries.
func (r *Resolver) share(ctx context.Context, req lookupRequest) (fact, error) {
	r.start()
	if last := r.own.get(req.id, r.now(), req.rest); last != nil {
		return fact{}, last.err
	}
	if _, old := r.lags.get(req.id, r.now()); old {
		if !req.unknownAt.IsZero() {
			return fact{at: req.unknownAt}, ErrUnknownToken
		}
		return fact{}, tooOld()
	}
	timeout := time.Duration(r.timeout.Load())
	timer := time.NewTimer(timeout + timeout/10)
	defer timer.Stop()
	req.since = r.cache.since()
	answer := r.flights.DoChan(r.flight(&req), func() (any, error) {
		return r.lookup(req)
	})
	select {
	case <-ctx.Done():
		return fact{}, ctx.Err()
	case <-r.ctx.Done():
		return fact{}, &UnavailableError{Outage: Closed}
	case <-timer.C:
		return fact{}, &UnavailableError{Outage: TimedOut}
	case result := <-answer:
		found, _ := result.Val.(fact)
		return found, result.Err
	}
}

// flight names the look-up that callers share, as the function of that name. Where look-ups
// may wait for the fleet, those who do not wait have one of their own.
func (r *Resolver) flight(req *lookupRequest) string {
	name := flight(&req.id, req.since)
	if r.sharing != nil && !req.patient && req.id != neutral {
		name += "!"
	}
	return name
}

// flight names the look-up that callers share. Callers that came after a purge do not
// join one from before it.
func flight(id *ID, since uint64) string {
	return string(binary.LittleEndian.AppendUint64(id[:len(id):len(id)], since))
}

// lookup asks the token service, within the limits and unless look-ups are paused.
func (r *Resolver) lookup(req lookupRequest) (fact, error) {
	if !r.tasks.begin() {
		return fact{}, &UnavailableError{Outage: Closed}
	}
	defer r.tasks.end()
	until := time.Now().Add(time.Duration(r.timeout.Load()))
	req.ctx = r.ctx
	if patient, ok := r.sharing.(PatientSharing); ok {
		req.ctx = patient.Patience(r.ctx)
	}
	found, answered, err := r.findShared(&req)
	if answered {
		return found, err
	}
	waited := r.awaitKnown(&req)
	if found, answered, err = r.answeredSince(req); answered && !req.probe {
		return found, err
	}
	if waited {
		if found, answered, err = r.findShared(&req); answered {
			return found, err
		}
	}
	if err := r.mayAsk(&req); err != nil {
		return fact{}, err
	}
	var end func()
	found, answered, end, err = r.beginShared(&req, until)
	if answered || err != nil {
		return found, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(req.ctx, time.Duration(r.timeout.Load()))
	defer cancel()
	leave, listed, err := r.turn(ctx, &req, until)
	if err != nil || leave == nil {
		return listed, err
	}
	return r.ask(ctx, &req, leave)
}

// awaitKnown waits for a list that is being asked for, if the token was known, and leaves
// time for a look-up. It reports whether it did.
func (r *Resolver) awaitKnown(req *lookupRequest) (waited bool) {
	if req.lane != Known || !req.patient && r.sharing != nil { // that list may be another gateway's
		return false
	}
	ended := r.listEnd(req, false)
	if ended != nil {
		r.awaitEnd(ended, time.Duration(r.timeout.Load())/2)
	}
	return ended != nil
}

// turn waits for the look-up's turn, see [Resolver.admit]. If there is none and the token was
// forgotten together with all others, it waits for the list of all tokens instead, and
// returns what that says, without a turn.
func (r *Resolver) turn(ctx context.Context, req *lookupRequest, until time.Time) (leave func(), listed fact, err error) {
	leave, err = r.admit(ctx, *req)
	if err == nil {
		return leave, fact{}, nil
	}
	if req.probe {
		r.breaker.abandoned()
	}
	if !req.forgotten || !req.patient || !r.awaitList(req, time.Until(until), true) {
		return nil, fact{}, err
	}
	if found, answered := r.listedSince(req); answered {
		return nil, found, nil
	}
	req.forgotten = false // one by one, as the list did not help
	leave, err = r.admit(ctx, *req)
	return leave, fact{}, err
}

// mayAsk reports whether look-ups are paused. At the end of a pause it asks the neutral
// question first: a token whose own look-up fails must not keep an outage alive.
func (r *Resolver) mayAsk(req *lookupRequest) error {
	if req.probe {
		return nil
	}
	probe, err := r.breaker.Allow(r.now())
	if probe && req.id != neutral {
		return r.probe()
	}
	req.probe = probe
	return err
}

// answeredSince returns the answer of another look-up for the same token, or of a list,
// that ended after the caller read the cache and before this look-up started.
func (r *Resolver) answeredSince(req lookupRequest) (found fact, answered bool, err error) {
	s := r.cache.shard(&req.id)
	if known, ok := s.known.Peek(req.id); ok && known.at.After(req.knownAt) && r.cache.current(&known) &&
		(known.origin == fromWorkspace || known.at.After(req.after)) {
		return known, true, nil
	}
	if at, ok := s.unknown.Peek(req.id); ok && at.After(req.unknownAt) {
		return fact{}, true, ErrUnknownToken
	}
	return fact{}, false, nil
}

// admit waits for a look-up's turn and slot. Call leave to free the slot.
func (r *Resolver) admit(ctx context.Context, req lookupRequest) (leave func(), err error) {
	switch {
	case req.id == neutral:
		// No look-up may keep it from being asked: it tells whether they work at all. It
		// is asked by one at a time, and hardly more than once a second.
		return func() {}, nil
	case req.admitted:
	case req.patient && !req.forgotten:
		err = r.limits.wait(ctx, req.lane)
	case !r.limits.try(req.lane):
		err = r.limits.overloaded()
	}
	if err == nil {
		err = r.allowed(ctx, &req)
	}
	if err != nil {
		r.limits.returning.add(&req.id)
		return nil, err
	}
	r.limits.returning.remove(&req.id)
	return r.limits.enter(ctx, req.lane)
}

// succeeded records that the workspace answered, whatever it said of the token.
func (r *Resolver) succeeded(result string, took time.Duration) {
	r.observer.LookedUp(result, took)
	first := !r.worked.Swap(true)
	if r.breaker.Succeeded() || first {
		r.observer.ServiceChanged(nil)
	}
}

// listWorked records that the workspace returned its list. That does not end an outage of
// look-ups.
func (r *Resolver) listWorked() {
	if first := !r.worked.Swap(true); first && r.breaker.outage() == nil {
		r.observer.ServiceChanged(nil)
	}
}

func (r *Resolver) failed(now time.Time, outage *UnavailableError) {
	if r.breaker.Failed(now, outage) {
		r.observer.ServiceChanged(outage)
	}
}

// asOutage converts any error of a [Service] to an outage.
func asOutage(err error) *UnavailableError {
	var outage *UnavailableError
	if errors.As(err, &outage) {
		return outage
	}
	return &UnavailableError{Outage: BadAnswer, Err: err}
}

func isOutage(err error) bool {
	var outage *UnavailableError
	return errors.As(err, &outage)
}
