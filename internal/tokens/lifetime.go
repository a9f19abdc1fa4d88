package tokens

import "time"

// Expiry is when a token ends: at a time, never, or unknown. The zero value is unknown,
// which is neither of the others: it passes no limit, and no token with it is judged
// unless [Freshness.UnknownExpiry] is set. It is comparable with Equal.
type Expiry struct {
	at    time.Time // zero unless it ends at a time
	never bool
}

// NeverExpires is the expiry of a token that never ends.
var NeverExpires = Expiry{never: true}

// ExpiresAt is the expiry of a token that ends at a time. The zero time is unknown.
func ExpiresAt(at time.Time) Expiry { return Expiry{at: at} }

// Known reports whether the workspace said when the token ends, or that it never does.
func (e Expiry) Known() bool { return e.never || !e.at.IsZero() }

// Never reports whether the token is known to never end.
func (e Expiry) Never() bool { return e.never }

// At returns when the token ends. It is false if it never does, or if that is unknown.
func (e Expiry) At() (time.Time, bool) { return e.at, !e.at.IsZero() }

// Passed reports whether the token has ended by now.
func (e Expiry) Passed(now time.Time) bool { return !e.at.IsZero() && !now.Before(e.at) }

// Equal reports whether two tokens end at the same time.
func (e Expiry) Equal(other Expiry) bool { return e.never == other.never && e.at.Equal(other.at) }

// Lifetime returns how long a token was made for. It is false if the token never expires,
// or if its expiry or its creation is unknown or makes no sense: such a token exceeds
// every limit.
func (i *Info) Lifetime() (time.Duration, bool) {
	ends, ok := i.Expires.At()
	if !ok || i.Created.IsZero() || i.Created.After(ends) {
		return 0, false
	}
	return ends.Sub(i.Created), true
}

// neverExpires is the expiry_time of a token that never expires.
const neverExpires = -1

// expiryOf returns what an expiry_time says, in epoch milliseconds. Only -1 is documented
// to mean never: no other value that is not a time may be believed to.
func expiryOf(expiryTime int64) Expiry {
	switch {
	case expiryTime == neverExpires:
		return NeverExpires
	case expiryTime > 0:
		return ExpiresAt(time.UnixMilli(expiryTime))
	}
	return Expiry{}
}
