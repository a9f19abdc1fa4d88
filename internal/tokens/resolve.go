package tokens

import (
	"context"
	"time"
)

// Resolve returns the facts about a token. It returns [ErrUnknownToken] if the workspace
// has no such token, an [*UnavailableError] if there are no facts to judge by, and the
// context's error if the caller left. With an error, [Facts.At] is when the workspace
// was asked, zero if it was not.
func (r *Resolver) Resolve(ctx context.Context, id ID, fresh Freshness) (Facts, error) {
	facts, err := r.resolve(ctx, id, fresh)
	if own := ownErr(err); own != nil {
		return facts, r.unjudgeable(id, own, fresh.NegativeTTL)
	}
	if err == nil && !fresh.UnknownExpiry && !facts.Info.Expires.Known() {
		told := Facts{}
		if facts.Source == FromLookup {
			told.At = facts.At
		}
		return told, r.unjudgeable(id, errUnknownExpiry, fresh.NegativeTTL)
	}
	return facts, err
}

// Scopes asks the workspace, within the limits, for a token's scopes as they are now, and
// returns when it was asked.
func (r *Resolver) Scopes(ctx context.Context, id [32]byte) (scopes []string, at time.Time, err error) {
	facts, err := r.Resolve(ctx, id, Freshness{UnknownExpiry: true})
	if err != nil {
		return nil, facts.At, err
	}
	return facts.Info.Scopes, facts.At, nil
}

var errUnknownExpiry = &UnavailableError{Outage: UnknownExpiry, own: true, Err: &unusableError{NoExpiry, "expiry_time is neither -1 nor a time"}}
