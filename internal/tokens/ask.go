package tokens

import (
	"context"
	"errors"
	"time"
)

// ask asks the token service, leaves the slot, and learns from the answer.
func (r *Resolver) ask(ctx context.Context, req *lookupRequest, leave func()) (fact, error) {
	a := asking{mark: r.mark(), since: r.cache.since(), answers: r.health.answers.Load(), at: r.now()}
	answer, err := r.askService(ctx, req, leave)
	now := r.now()
	a.took = now.Sub(a.at)
	switch {
	case err == nil, errors.Is(err, ErrUnknownToken):
		r.health.answered()
		return r.answer(req, a, answer, err)
	case r.ctx.Err() != nil:
		return fact{}, &UnavailableError{Outage: Closed} // says nothing about the workspace
	}
	outage := asOutage(err)
	result := "unusable"
	switch {
	case outage.Outage.passing() && req.id != neutral:
		r.observer.LookedUp(string(outage.Outage), a.took)
		return fact{at: a.at}, outage
	case outage.Outage == Paused: // at an authority
		told := *outage
		outage = told.forEveryone()
	}
	if outage = r.settle(req.id, a.answers, outage); outage.own {
		r.remember(req.id, outage, a.at, a.since)
	} else {
		result = string(outage.Outage)
	}
	r.observer.LookedUp(result, a.took)
	return fact{at: a.at}, outage
}

// asking is when the token service was asked.
type asking struct {
	at      time.Time
	took    time.Duration
	since   uint64 // the same on the clock of purges
	mark    Mark   // the same in the log of changes
	answers uint64 // how many look-ups had been answered by then
}

// answer learns from what the service answered, and tells others.
func (r *Resolver) answer(req *lookupRequest, a asking, answer Answer, err error) (fact, error) {
	told := Answer{ID: req.id, Info: answer.Info, At: a.at}
	found := fact{info: answer.Info, at: a.at, since: a.since}
	if at := answer.At; !at.IsZero() && at.Before(a.at) {
		told.At, found.at = at, at
		if at.Add(a.took).Before(a.at) { // before this look-up, however long it was under way
			found.origin = fromRelay
		}
	}
	arrived := found.at.Add(a.took)
	purged := r.cache.allPurgedSince(a.since) || r.cache.purgedSince(req.id, a.since)
	if found.origin == fromRelay && req.id != neutral && !purged && req.late(a, arrived, err) {
		r.lags.add(req.id, a.at, true)
	}
	result := "found"
	if err != nil {
		told.Info, found.info, result = nil, nil, "unknown"
	}
	r.succeeded(result, a.took)
	r.own.forget(req.id)
	if found.origin == fromRelay && !arrived.After(req.knownAt) {
		return found, err // what was known before, and may be forgotten, does not come back
	}
	var stored bool
	if err != nil {
		stored, told.Changed = r.cache.rememberUnknown(req.id, found.at, a.since)
	} else {
		if !found.info.Expires.Known() {
			r.unusable(string(NoExpiry), 1)
		}
		stored, told.Changed = r.cache.rememberFact(req.id, found)
		r.learned(found.info)
	}
	if stored && req.id != neutral && !purged {
		r.tell(a.mark, told)
	}
	return found, err
}

// late reports whether an answer is older than what was asked for.
func (req *lookupRequest) late(a asking, at time.Time, err error) bool {
	return !at.After(req.wanted()) || err != nil && a.at.Sub(at) >= req.rest
}

// askService asks the token service, and leaves the slot.
func (r *Resolver) askService(ctx context.Context, req *lookupRequest, leave func()) (Answer, error) {
	defer leave()
	answer, err := r.service.Lookup(ctx, Query{ID: req.id, After: req.wanted(), Lane: req.lane})
	if err == nil && (answer.Info == nil || answer.Info.ID != req.id) {
		err = &UnavailableError{Outage: BadAnswer}
	}
	return answer, err
}
