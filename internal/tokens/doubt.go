package tokens

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// doubtGrace is how old facts that are doubted may be to be used all the same, where
	// there is no turn for a look-up.
	doubtGrace = 5 * time.Second

	// doubtBurst and doubtRate bound how often all facts are doubted. What comes more often
	// takes effect together, at most a second later.
	doubtBurst = 30
	doubtRate  = 1
)

// doubting bounds doubts.
type doubting struct {
	mu      sync.Mutex
	bucket  *rate.Limiter
	pending bool // a doubt will take effect
}

// Doubt is [Resolver.ForgetAll] for when it is not certain that anything was changed, as
// anyone may bring about as often as he likes. All facts are asked for again when they are
// next used. Where there are no turns left for that, facts of less than five seconds serve
// until there are, or until the list of all tokens arrives.
func (r *Resolver) Doubt() {
	d := &r.doubts
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending {
		return
	}
	if d.bucket == nil {
		d.bucket = rate.NewLimiter(doubtRate, doubtBurst)
	}
	now := r.now()
	if delay := d.bucket.ReserveN(now, 1).DelayFrom(now); delay > 0 {
		d.pending = true
		time.AfterFunc(delay, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.pending = false
			r.doubtAll()
		})
		return
	}
	r.doubtAll()
}

func (r *Resolver) doubtAll() {
	r.own.forgetAll()
	r.lags.forgetAll()
	r.cache.doubtAll()
	r.refill()
}
