package tokens

import (
	"context"
	"errors"
	"time"
)

// readyFreshness spares the workspace: probes come every few seconds.
var readyFreshness = Freshness{NegativeTTL: 30 * time.Second}

// neutral is an id that no token has.
var neutral ID

// Readiness reports whether look-ups can be expected to work, and what is wrong with
// them, nil for nothing. It asks for a token that does not exist: the answer that it is
// unknown proves the admin credential, without waiting for a client to come first. An
// outage that passes by itself leaves a resolver ready that has worked before.
func (r *Resolver) Readiness(ctx context.Context) (ready bool, problem *UnavailableError) {
	_, err := r.Resolve(ctx, neutral, readyFreshness)
	switch {
	case errors.Is(err, ErrUnknownToken):
		problem = r.breaker.outage() // which began since the answer came
	case errors.As(err, &problem) && problem.Outage != Overloaded:
		problem = problem.Root()
	default: // the caller left, or look-ups have other work
		problem = r.breaker.outage()
		if problem == nil && !r.Worked() {
			problem = &UnavailableError{Outage: Untried}
		}
	}
	if problem != nil && problem.Outage.NeedsOperator() {
		return false, problem
	}
	return r.Worked(), problem
}
