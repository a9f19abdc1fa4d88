package redis

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
)

// ErrDown says that the store cannot be used. Unless the error is [ErrLost] too, nothing was
// sent.
var ErrDown = errors.New("store is down")

var (
	errConnecting = errors.New("connecting")
	errClosed     = errors.New("closed")
)

// Conn is a connection to a server that comes and goes. It is safe for concurrent use.
type Conn struct {
	options Options
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	trouble trouble

	mu      sync.Mutex
	session *session // nil while down
	number  uint64   // of sessions so far
	since   time.Time
	reason  error // why it is down

	hooksMu sync.Mutex
	hooks   []hook

	sentinels sentinels
}

type hook struct {
	call func()
	seen uint64 // number of the session that it was called for
}

// Open returns a connection that is down, and connects in the background, again and again.
func Open(options Options) *Conn {
	if options.Observer == nil {
		options.Observer = fleet.NoObserver{}
	}
	if options.Logger == nil {
		options.Logger = zap.NewNop
	}
	options.Patience = cmp.Or(options.Patience, Patience)
	c := &Conn{options: options, since: time.Now(), reason: errConnecting}
	c.trouble.logger = options.Logger
	c.sentinels.options = options
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.work.Go(c.run)
	return c
}

// Close ends the connection and whatever waits for it.
func (c *Conn) Close() {
	c.cancel()
	c.work.Wait()
}

// Up reports whether operations are tried, since when that is so, and if not, why.
func (c *Conn) Up() (up bool, since time.Time, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session != nil, c.since, c.reason
}

// Refused says which operations the server refuses while it is up, such as those that write when
// it is full, and why. It is nil if it refuses none. An operation counts until it went well.
func (c *Conn) Refused() error { return c.trouble.refused() }

// OnUp has f called whenever the connection comes up, and now if it is up. Functions are
// called one after another, in the order of OnUp. They may use the connection, but must not
// call OnUp or Close.
func (c *Conn) OnUp(f func()) {
	c.hooksMu.Lock()
	c.hooks = append(c.hooks, hook{call: f})
	c.hooksMu.Unlock()
	c.callHooks()
}

func (c *Conn) callHooks() {
	c.hooksMu.Lock()
	defer c.hooksMu.Unlock()
	for i := range c.hooks {
		c.mu.Lock()
		number, up := c.number, c.session != nil
		c.mu.Unlock()
		if up && c.hooks[i].seen < number {
			c.hooks[i].seen = number
			c.hooks[i].call()
		}
	}
}

// run connects, watches the connection, and connects again.
func (c *Conn) run() {
	defer c.down(nil, errClosed)
	wait := newBackoff()
	for c.ctx.Err() == nil {
		s, err := c.connect()
		if err != nil {
			c.down(nil, err)
			pause(c.ctx, wait.next())
			continue
		}
		c.up(s)
		c.work.Go(c.callHooks)
		if c.watch(s) {
			wait = newBackoff()
		}
		s.close()
		pause(c.ctx, wait.next())
	}
}

func (c *Conn) up(s *session) {
	c.mu.Lock()
	c.session, c.since, c.reason = s, time.Now(), nil
	c.number++
	c.mu.Unlock()
	c.options.Observer.StoreConnected(nil)
	c.options.Logger().Info("store is up", zap.Strings("addresses", c.options.Addresses))
}

// down ends s if it is the session in use; nil is none. The first failure counts, and of
// those while down each that differs from the one before.
func (c *Conn) down(s *session, reason error) {
	if c.ctx.Err() != nil {
		reason = errClosed
	}
	c.mu.Lock()
	if c.session != s {
		c.mu.Unlock()
		return
	}
	if s != nil {
		c.session, c.since = nil, time.Now()
		s.cancel()
	}
	told := s == nil && c.reason != nil && c.reason.Error() == reason.Error()
	c.reason = reason
	c.mu.Unlock()
	if told || errors.Is(reason, errClosed) {
		return
	}
	c.options.Observer.StoreConnected(reason)
	c.options.Logger().Warn("store is down", zap.Strings("addresses", c.options.Addresses), zap.Error(reason))
}

// current returns the session in use, or nil.
func (c *Conn) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

const (
	minPause = 100 * time.Millisecond
	maxPause = time.Second
)

// backoff is between attempts to connect: doubled from 100 ms up to 1 s, with jitter.
type backoff struct{ limit time.Duration }

func newBackoff() *backoff { return &backoff{limit: minPause} }

func (b *backoff) next() time.Duration {
	b.limit = min(2*b.limit, maxPause)
	return jitter(b.limit/2, b.limit)
}

// jitter returns a duration from low to high.
func jitter(low, high time.Duration) time.Duration {
	return low + rand.N(high-low+1)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
