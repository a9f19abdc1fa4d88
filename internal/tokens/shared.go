package tokens

import (
	"context"
	"slices"
	"time"
)

// shares reports whether a look-up may be answered by another gateway. The neutral question is
// about this one's credential, and a reader without a TTL wants to know what holds now, which
// clocks that differ by seconds cannot tell.
func (r *Resolver) shares(req *lookupRequest) bool {
	return r.sharing != nil && req.id != neutral && !req.exact
}

// wanted is what an answer must be later than to be of use.
func (req *lookupRequest) wanted() time.Time { return latest(req.knownAt, req.unknownAt, req.after) }

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// findShared returns what another gateway has found out.
func (r *Resolver) findShared(req *lookupRequest) (found fact, answered bool, err error) {
	if !r.shares(req) {
		return fact{}, false, nil
	}
	since, after := r.cache.since(), req.wanted()
	answer, ok := r.sharing.Find(req.ctx, req.id, after)
	if ok {
		found, answered, err = r.believe(req, answer, after, since)
	}
	if !answered {
		r.shared("miss")
	}
	return found, answered, err
}

// beginShared makes this gateway the one that looks up a token, until end is called, or
// returns the answer of another one that does. Nothing of this gateway's own is held
// meanwhile: those who wait for a gateway that died must not keep others from asking. If
// none comes, the caller asks as well.
func (r *Resolver) beginShared(req *lookupRequest, until time.Time) (found fact, answered bool, end func(), err error) {
	end = func() {}
	if !r.shares(req) {
		return fact{}, false, end, nil
	}
	if req.lane == First && r.limits.full(First) { // so that a flood costs the store less
		r.limits.returning.add(&req.id)
		return fact{}, false, end, r.limits.overloaded()
	}
	since, after := r.cache.since(), req.wanted()
	ctx, cancel := context.WithTimeout(req.ctx, time.Until(until)/2)
	defer cancel()
	answer, ok, done := r.sharing.Begin(ctx, req.id, after, req.patient)
	if done != nil {
		end = done
	}
	if ok {
		if found, answered, err = r.believe(req, answer, after, since); answered {
			return found, answered, end, err
		}
	}
	if done == nil && !ok && !req.patient {
		err = r.limits.overloaded() // another gateway is at it
	}
	return fact{}, false, end, err
}

// believe remembers another gateway's answer, if it is later than a time, young enough, and
// overtaken neither by a purge after since nor by a list: those that a list had were shared
// with it again.
func (r *Resolver) believe(req *lookupRequest, answer Answer, after time.Time, since uint64) (found fact, answered bool, err error) {
	now := r.now()
	at := earlier(answer.At, now)
	switch {
	case answer.ID != req.id || answer.Info != nil && answer.Info.ID != req.id || !at.After(after):
		return fact{}, false, nil
	case answer.Info == nil:
		if now.Sub(at) >= req.rest {
			return fact{}, false, nil
		}
		if stored, _ := r.cache.rememberUnknown(req.id, at, since); !stored {
			return fact{}, false, nil
		}
		r.own.forget(req.id)
		r.shared("unknown")
		return fact{at: at, origin: fromFleet}, true, ErrUnknownToken
	}
	found = fact{info: answer.Info, at: at, since: since, origin: fromFleet}
	if !answer.At.After(r.following.floor()) {
		return fact{}, false, nil
	}
	if stored, _ := r.cache.rememberFact(req.id, found); !stored {
		return fact{}, false, nil
	}
	r.own.forget(req.id)
	r.shared("found")
	r.learned(answer.Info)
	return found, true, nil
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// allowed waits until all gateways together may ask once more. Whoever is not patient does
// not wait. Of those who wait, one of each lane asks: if all did, a fleet that starts at once
// would be busy with that.
func (r *Resolver) allowed(ctx context.Context, req *lookupRequest) error {
	if r.sharing == nil {
		return nil
	}
	for began, isHead := time.Now(), false; ; {
		wait := r.sharing.Allow(ctx, req.lane)
		switch {
		case wait <= 0:
			return nil
		case !req.patient, req.forgotten, time.Since(began)+wait > maxQueue:
			return r.limits.overloaded()
		case !isHead:
			select {
			case r.limits.fleetHeads[req.lane] <- struct{}{}:
				defer func() { <-r.limits.fleetHeads[req.lane] }()
			case <-ctx.Done():
				return r.limits.overloaded()
			}
			isHead = true
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r.limits.overloaded()
		}
		if patient, ok := r.sharing.(PatientSharing); ok {
			ctx = patient.Patience(ctx) // waited for was a turn: the store has just answered
		}
	}
}

// mark returns the position in the fleet's log of changes, for [Resolver.tell].
func (r *Resolver) mark() Mark {
	if r.sharing == nil {
		return 0
	}
	return r.sharing.Mark()
}

// tell tells the others what the workspace answered.
func (r *Resolver) tell(mark Mark, answers ...Answer) {
	if r.sharing != nil {
		r.sharing.Share(mark, answers...)
	}
	r.changed(answers)
}

// changed tells the [ChangeObserver] which tokens have changed.
func (r *Resolver) changed(answers []Answer) {
	if r.changes == nil {
		return
	}
	var changed []Answer
	for _, answer := range answers {
		if answer.Changed {
			changed = append(changed, answer)
		}
	}
	if len(changed) > 0 {
		r.changes.TokensChanged(changed...)
	}
}

func (r *Resolver) shared(result string) {
	if o, ok := r.observer.(SharedObserver); ok {
		o.Shared(result)
	}
}

// differs reports whether two answers about one token differ in what decisions depend on.
func differs(a, b *Info) bool {
	return a != b && (a.Owner != b.Owner || a.Creator != b.Creator || a.WorkspaceID != b.WorkspaceID ||
		!a.Expires.Equal(b.Expires) || !slices.Equal(a.Scopes, b.Scopes) && !SameScopes(a.Scopes, b.Scopes))
}
