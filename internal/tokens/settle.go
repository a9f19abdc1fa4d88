package tokens

import (
	"errors"
	"sync/atomic"
	"time"
)

// vouches is how long the answer to a neutral question that settled one failure settles
// others too, so that many tokens whose own look-ups fail do not double the number of
// look-ups.
const vouches = time.Second

// health is what is known of the token service, beside the breaker.
type health struct {
	// answers counts the look-ups that the workspace answered.
	answers atomic.Uint64
	// vouched is when the neutral question last settled a failure, in Unix nanoseconds.
	vouched atomic.Int64
	// struck means that the neutral question failed after the last answer.
	struck atomic.Bool
}

// settle finds out what a failed look-up is evidence of. It returns the failure as the
// token's own affair, or else as an outage, which the breaker has counted.
//
// Clients choose which tokens are looked up, and may repeat one whose look-up fails. So
// a failure counts only if it cannot have to do with the token (no connection, no sign-in),
// or if the neutral question fails too: the look-up of a token that nobody has. No client
// has a say in that, and any answer about any other token, unknown ones included,
// disproves the outage just as well.
func (r *Resolver) settle(id ID, answers uint64, err *UnavailableError) *UnavailableError {
	failure := *err
	if id != neutral && !err.everyone && r.breaker.outage() == nil && r.worksForOthers(answers) {
		failure.own = true
		if failure.Outage.NeedsOperator() {
			failure.Outage = TokenRefused // neither the credential nor a setting is wrong
		}
		return &failure
	}
	if failure.Outage == UnusableAnswer {
		failure.Outage = BadAnswer // to every question
	}
	if id == neutral {
		r.health.struck.Store(true)
	}
	r.failed(r.now(), &failure)
	return &failure
}

// worksForOthers reports whether other tokens are looked up all right, since the
// workspace had given a number of answers.
func (r *Resolver) worksForOthers(answers uint64) bool {
	switch {
	case r.health.answers.Load() != answers:
		return true
	case r.health.struck.Load():
		return false
	case r.now().Sub(time.Unix(0, r.health.vouched.Load())) < vouches:
		return true
	}
	asked, err := r.askNeutral()
	if err == nil {
		r.health.vouched.Store(r.now().UnixNano())
	}
	return err == nil || !asked // without an answer, one failure is no evidence
}

// askNeutral asks for the token that nobody has, together with whoever asks for it now.
// Without an error the workspace answered. Asked is false if it was not asked after all.
func (r *Resolver) askNeutral() (asked bool, err error) {
	now := r.now()
	_, err, _ = r.flights.Do(flight(&neutral, r.cache.since()), func() (any, error) {
		return r.lookup(lookupRequest{id: neutral, unknownAt: now, after: now})
	})
	return settled(err)
}

// probe asks the neutral question to find out whether an outage is over. Without an error
// it is.
func (r *Resolver) probe() error {
	_, err := r.lookup(lookupRequest{id: neutral, after: r.now(), probe: true})
	_, err = settled(err)
	return err
}

// settled reads the answer to the neutral question.
func settled(err error) (asked bool, _ error) {
	switch {
	case err == nil, errors.Is(err, ErrUnknownToken):
		return true, nil
	}
	switch asOutage(err).Outage {
	case Paused, Closed:
		return false, err
	}
	return true, err
}

// answered records that the workspace answered a look-up, whatever it said of the token.
func (h *health) answered() {
	h.answers.Add(1)
	h.struck.Store(false)
}
