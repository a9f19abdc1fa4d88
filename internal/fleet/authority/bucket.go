package authority

import (
	"sync"
	"time"
)

// bucket is a token bucket that gives back what turned out to cost nothing, which those of
// golang.org/x/time/rate cannot once a turn has begun. It is safe for concurrent use.
type bucket struct {
	rate, burst float64

	mu    sync.Mutex
	level float64
	at    time.Time // of level; zero while the bucket is untouched, and so full
}

func newBucket(rate, burst int) *bucket {
	return &bucket{rate: float64(rate), burst: float64(burst)}
}

// take reports whether there was a turn, and otherwise how long until there is one.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.at.IsZero():
		b.level = b.burst
	case now.After(b.at):
		b.level = min(b.burst, b.level+b.rate*now.Sub(b.at).Seconds())
	default:
		now = b.at // a clock that was set back gives nothing
	}
	b.at = now
	if b.level < 1 {
		return time.Duration((1 - b.level) / b.rate * float64(time.Second)), false
	}
	b.level--
	return 0, true
}

// refund gives a turn back.
func (b *bucket) refund() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.level = min(b.burst, b.level+1)
}
