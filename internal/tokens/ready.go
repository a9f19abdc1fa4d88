package tokens

import (
	"context"
	"errors"
	"time"
)

// readyFreshness spares the workspace: probes come every few seconds.
var readyFreshness = Freshness{NegativeTTL: 30 * time.Second}

// Ready reports whether look-ups can be expected to work. It asks for a token that does
// not exist: the answer that it is unknown proves the admin credential, without waiting
// for a client to come first. An outage that passes by itself leaves a resolver ready
// that has worked before.
func (r *Resolver) Ready(ctx context.Context) bool {
	_, err := r.Resolve(ctx, ID{}, readyFreshness)
	if errors.Is(err, ErrUnknownToken) {
		return true
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if outage, ok := cause.(*UnavailableError); ok {
			switch outage.Outage {
			case Rejected, NotConfigured, Disabled, IDRuleBroken:
				return false
			}
		}
	}
	return r.Worked()
}
