package tokens

import (
	"sync"
	"time"
)

const (
	// breakerTrip is how many look-ups in a row must fail before we pause: one bad
	// answer is not an outage.
	breakerTrip = 3

	breakerFirstPause = time.Second
	breakerLastPause  = 10 * time.Second

	// breakerSpread is the fraction of a pause that jitter may add, so that the
	// gateways in front of one workspace do not all retry at the same moment.
	breakerSpread = 4 // one fourth
)

// Breaker is a circuit breaker for requests to a workspace: a workspace that is down
// must not cost every request a timeout, and one that is struggling must not be
// hammered. After 3 failures in a row, or one that is sure to repeat, it pauses all
// look-ups, then lets one through as a probe. Each failed probe doubles the pause,
// from 1 up to 10 seconds. When the pause ends, the limits on look-ups keep them
// from starting all at once.
//
// The zero value is ready to use. A Breaker is safe for concurrent use.
type Breaker struct {
	jitter func(time.Duration) time.Duration // nil for none

	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time // zero unless there is an outage
	probing  bool
	last     *UnavailableError // nil unless there is an outage
	refusals int               // failures in a row that need the operator
}

// Allow reports whether a look-up may be tried now. If not, the error is an
// [*UnavailableError] that says when and why. A look-up during an outage is a probe,
// which must end in Succeeded, Failed or abandoned.
func (b *Breaker) Allow(now time.Time) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return false, nil
	}
	if b.paused(now) {
		err := pausedBy(b.last)
		err.RetryAfter = max(b.until.Sub(now), time.Second)
		return false, err
	}
	b.probing = true
	return true, nil
}

func (b *Breaker) paused(now time.Time) bool {
	return !b.until.IsZero() && (b.probing || now.Before(b.until))
}

// refuses reports whether Allow would refuse now.
func (b *Breaker) refuses(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused(now)
}

// outage returns why look-ups are paused or probing, nil while they work.
func (b *Breaker) outage() *UnavailableError {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return nil
	}
	return b.last
}

// lasting reports whether the outage needs the operator for sure.
func (b *Breaker) lasting() bool { return b.refusals > 1 }

// Succeeded records that the workspace answered, whatever it said of the token. It
// reports whether this ended an outage.
func (b *Breaker) Succeeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := !b.until.IsZero()
	b.failures, b.pause, b.until, b.probing = 0, 0, time.Time{}, false
	b.last, b.refusals = nil, 0
	return ended
}

// Failed records that a look-up failed, and completes the error by whether the outage
// is lasting. It reports whether this started an outage.
func (b *Breaker) Failed(now time.Time, err *UnavailableError) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	started := b.until.IsZero()
	if !started && !b.probing {
		err.Lasting = b.lasting()
		return false // a straggler from before the pause
	}
	if b.refusals++; !err.Outage.NeedsOperator() {
		b.refusals = 0
	}
	err.Lasting = b.lasting()
	b.last = &UnavailableError{Outage: err.Outage, Lasting: err.Lasting, Err: err.Err}
	if started && b.failures < breakerTrip && !certain(err) {
		return false
	}
	b.probing = false
	b.pause = min(max(2*b.pause, breakerFirstPause), breakerLastPause)
	wait := max(b.pause, err.RetryAfter)
	if b.jitter != nil {
		wait += b.jitter(wait / breakerSpread)
	}
	b.until = now.Add(wait)
	return started
}

// certain reports whether one failure proves that the next look-up would fail too:
// the workspace said when to retry, or the operator has something to fix.
func certain(err *UnavailableError) bool {
	return err.Outage.NeedsOperator() || err.RetryAfter > 0
}

// abandoned records that a probe was not sent after all.
func (b *Breaker) abandoned() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// pausedBy returns what look-ups get while they pause because of an outage, which may
// have ended at this moment (nil).
func pausedBy(outage *UnavailableError) *UnavailableError {
	if outage == nil {
		return &UnavailableError{Outage: Paused}
	}
	return &UnavailableError{Outage: Paused, Lasting: outage.Lasting, Err: outage}
}
