package tokens

import (
	"sync"
	"time"
)

const (
	// breakerTrip is how many look-ups in a row must fail before the next ones are
	// not even tried: one broken answer is no outage.
	breakerTrip = 3

	breakerFirstPause = time.Second
	breakerLastPause  = 10 * time.Second

	// breakerSpread is the part of a pause that chance may add to it, so that the
	// gateways before one workspace do not all come back at the same moment.
	breakerSpread = 4 // one fourth
)

// breaker keeps a dead admin API from costing every request its timeout, and a
// struggling one from being hammered. After failures in a row it pauses all
// look-ups, then lets one through to see; each failure doubles the pause. When it
// ends, the limits on look-ups see to it that not all come at once.
type breaker struct {
	jitter func(time.Duration) time.Duration // nil for none

	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time // no outage while zero
	probing  bool
	last     Outage
}

// allow reports whether a look-up may be tried now, and if not, when and why. One
// that is tried during an outage is a probe, which must end in succeeded, failed
// or abandoned.
func (b *breaker) allow(now time.Time) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return false, nil
	}
	if b.shut(now) {
		return false, &UnavailableError{Outage: Paused, RetryAfter: max(b.until.Sub(now), time.Second), Err: &UnavailableError{Outage: b.last}}
	}
	b.probing = true
	return true, nil
}

func (b *breaker) shut(now time.Time) bool {
	return !b.until.IsZero() && (b.probing || now.Before(b.until))
}

// refuses reports whether allow would refuse now.
func (b *breaker) refuses(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut(now)
}

// outage returns why look-ups are paused or probing, and is empty while they
// work.
func (b *breaker) outage() Outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return ""
	}
	return b.last
}

// succeeded tells that the workspace answered, whatever it said of the token.
// It reports whether this ended an outage.
func (b *breaker) succeeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := !b.until.IsZero()
	b.failures, b.pause, b.until, b.probing, b.last = 0, 0, time.Time{}, false, ""
	return ended
}

// failed tells that a look-up failed. It reports whether this began an outage.
func (b *breaker) failed(now time.Time, err *UnavailableError) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	began := b.until.IsZero()
	if !began && !b.probing {
		return false // a straggler from before the pause
	}
	b.last = err.Outage
	if began && b.failures < breakerTrip && !certain(err) {
		return false
	}
	b.probing = false
	b.pause = min(max(2*b.pause, breakerFirstPause), breakerLastPause)
	wait := max(b.pause, err.RetryAfter)
	if b.jitter != nil {
		wait += b.jitter(wait / breakerSpread)
	}
	b.until = now.Add(wait)
	return began
}

// certain reports whether one failure is enough to know that the next look-up
// would fail too: the workspace said when to come back, or the operator has
// something to mend.
func certain(err *UnavailableError) bool {
	switch err.Outage {
	case Rejected, NotConfigured, Disabled, IDRuleBroken:
		return true
	}
	return err.RetryAfter > 0
}

// abandoned tells that a probe was not carried out after all.
func (b *breaker) abandoned() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}
