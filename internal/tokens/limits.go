package tokens

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Lane is a class of look-ups. Each lane has a reserved share of the rate, so that none
// can starve another, and may use what the others leave.
//
// Two lanes are not enough. If returning tokens shared the first lane, a new token would
// not get through a flood in ten tries (with three lanes it takes two). If they shared
// the known lane, a flood that repeats its values would stop all refreshes.
type Lane uint8

const (
	// Known refreshes facts about known tokens.
	Known Lane = iota
	// Returning is for unknown tokens that were turned away before: a client with a
	// valid token retries with it, a flood of random values does not repeat them.
	Returning
	// First is for tokens never seen before, and so for a whole flood.
	First

	laneCount = 3
)

// laneShares are the shares of the rate that are reserved for each lane.
var laneShares = [laneCount]float64{Known: 0.5, Returning: 0.25, First: 0.25}

const (
	// maxQueue is how far away a look-up's turn may be, at best, for it to wait. A
	// longer queue would fill up with a flood, and hold its connections.
	maxQueue = time.Second

	// minRetry and maxRetry bound the Retry-After of those turned away. It is random, so
	// that they do not return all at once.
	minRetry = time.Second
	maxRetry = 3 * time.Second

	// epsilon makes up for rounding in fractions of a look-up.
	epsilon = 1e-6
)

// limits bound the rate and the concurrency of look-ups.
type limits struct {
	now    func() time.Time
	jitter func(time.Duration) time.Duration

	mu      sync.Mutex
	total   float64 // look-ups a second
	lanes   [laneCount]*rate.Limiter
	waiting [laneCount]int

	// heads are held by the first waiter of each lane, and fleetHeads by the first of those
	// that wait for a turn among all gateways.
	heads, fleetHeads [laneCount]chan struct{}

	slots     atomic.Pointer[slots] // replaced by tune
	returning returning
}

// slots bound concurrent look-ups. Those of unknown tokens must hold a slot of each
// kind, which reserves some slots for known tokens.
type slots struct {
	all, unknown chan struct{}
}

// perSecond returns the rate.
func (l *limits) perSecond() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *limits) tune(perSecond, concurrency int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total = float64(perSecond)
	for i, share := range laneShares {
		// A burst of one second's share, and one to lend.
		limit, burst := rate.Limit(share*l.total), 1+int(math.Ceil(share*l.total))
		if l.lanes[i] == nil {
			l.lanes[i] = rate.NewLimiter(limit, burst)
			l.heads[i], l.fleetHeads[i] = make(chan struct{}, 1), make(chan struct{}, 1)
			continue
		}
		now := l.now()
		l.lanes[i].SetLimitAt(now, limit)
		l.lanes[i].SetBurstAt(now, burst)
	}
	if old := l.slots.Load(); old == nil || cap(old.all) != concurrency {
		l.slots.Store(&slots{
			all:     make(chan struct{}, concurrency),
			unknown: make(chan struct{}, max(1, concurrency-(concurrency+3)/4)),
		})
	}
}

// try takes a turn if there is one now.
func (l *limits) try(own Lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.take(l.now(), own)
}

func (l *limits) take(now time.Time, own Lane) bool {
	if l.lanes[own].AllowN(now, 1) {
		return true
	}
	for other, limiter := range l.lanes {
		if Lane(other) != own && limiter.TokensAt(now) >= spare(limiter)-epsilon && limiter.AllowN(now, 1) {
			return true
		}
	}
	return false
}

// spare is how many turns a lane must have for others to borrow one: all of them, so
// that they take only what would otherwise be lost. The lane's own look-ups may all come
// in one moment of each second.
func spare(limiter *rate.Limiter) float64 { return float64(limiter.Burst()) }

// next returns how long until there is a turn for a lane, if no other look-up takes it.
func (l *limits) next(now time.Time, own Lane) time.Duration {
	soonest := math.Inf(1)
	for other, limiter := range l.lanes {
		need := spare(limiter)
		if Lane(other) == own {
			need = 1
		}
		soonest = min(soonest, (need-limiter.TokensAt(now))/float64(limiter.Limit()))
	}
	return max(time.Millisecond, seconds(soonest))
}

// wait waits for a turn, first come, first served within each lane. If the turn is too
// far away, it fails at once.
func (l *limits) wait(ctx context.Context, own Lane) error {
	if taken, err := l.join(ctx, own); taken || err != nil {
		return err
	}
	defer l.leave(own)
	select {
	case l.heads[own] <- struct{}{}:
		defer func() { <-l.heads[own] }()
	case <-ctx.Done():
		return l.overloaded()
	}
	for {
		pause := l.takeOrNext(own)
		if pause == 0 {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return l.overloaded()
		}
	}
}

// join takes a turn if there is one and no look-up is waiting for it, and otherwise
// joins the queue, if that moves fast enough.
func (l *limits) join(ctx context.Context, own Lane) (taken bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[own] == 0 && l.take(l.now(), own) {
		return true, nil
	}
	best, worst := l.distance(own)
	if deadline, ok := ctx.Deadline(); best > maxQueue || ok && worst > time.Until(deadline) {
		return false, l.overloaded()
	}
	l.waiting[own]++
	return false, nil
}

// distance returns how far away the turn is of a look-up that joins the queue now. At best its
// lane gets all that others leave, at worst nothing.
func (l *limits) distance(own Lane) (best, worst time.Duration) {
	ahead, next := float64(l.waiting[own]), l.next(l.now(), own)
	return next + seconds(ahead/l.total), next + seconds(ahead/float64(l.lanes[own].Limit()))
}

// full reports whether a look-up that wants to wait for a turn would be turned away now.
func (l *limits) full(own Lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	best, _ := l.distance(own)
	return best > maxQueue
}

func (l *limits) leave(own Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[own]--
}

// takeOrNext takes a turn and returns 0, or returns how long to wait for one.
func (l *limits) takeOrNext(own Lane) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.take(now, own) {
		return 0
	}
	return l.next(now, own)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// enter waits for a slot. Call leave to free it.
func (l *limits) enter(ctx context.Context, own Lane) (leave func(), err error) {
	s := l.slots.Load()
	if own != Known {
		select {
		case s.unknown <- struct{}{}:
		case <-ctx.Done():
			return nil, l.overloaded()
		}
	}
	leave = func() {
		<-s.all
		if own != Known {
			<-s.unknown
		}
	}
	select {
	case s.all <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		if own != Known {
			<-s.unknown
		}
		return nil, l.overloaded()
	}
}

func (l *limits) overloaded() *UnavailableError {
	return &UnavailableError{Outage: Overloaded, RetryAfter: minRetry + l.jitter(maxRetry-minRetry)}
}
