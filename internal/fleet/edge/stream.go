package edge

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// silence is after what time without a word a stream counts as dead.
	silence = 3 * wire.Heartbeat
	// minBackoff and maxBackoff bound the pause between two attempts to subscribe, once all
	// authorities were tried.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	// settled is how long a stream must have lasted for the next attempt to come at once.
	settled = 10 * time.Second
)

// subscription is how far this edge has applied the changes.
type subscription struct {
	mu       sync.Mutex
	position wire.Position
	url      string // of the authority that it is subscribed to, or tried last
	up       bool
	since    time.Time
	problem  error
	told     map[string]string // the problem of each authority that was logged last

	// early is the oldest position of an answer from before the subscription, if any: without
	// an epoch, it is not known.
	early *wire.Position
}

// took notes from where an answer comes.
func (s *subscription) took(from wire.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.position.Epoch != "":
	case s.early == nil:
		s.early = &from
	case s.early.Epoch != from.Epoch:
		s.early = new(wire.Position)
	case from.Generation < s.early.Generation:
		s.early = &from
	}
}

// misses reports whether changes may have been missed if this edge hears of those after a
// position.
func (s *subscription) misses(position wire.Position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position.Epoch != "" || s.early != nil && (s.early.Epoch != position.Epoch || s.early.Generation < position.Generation)
}

func (s *subscription) at() wire.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}

func (s *subscription) applied(position wire.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = position
}

// Generation returns the last change that this edge has applied.
func (c *Client) Generation() fleet.Generation { return c.subscription.at().Generation }

// Status says how the subscription is.
func (c *Client) Status() fleet.UpstreamStatus {
	s := &c.subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	status := fleet.UpstreamStatus{URL: s.url, Up: s.up, Since: s.since}
	if s.problem != nil {
		status.Error = s.problem.Error()
	}
	return status
}

// subscribe keeps a subscription until the client is closed.
func (c *Client) subscribe() {
	pause := minBackoff
	for n, failures := 0, 0; c.ctx.Err() == nil; n++ {
		at := n % len(c.authorities)
		a := c.authorities[at]
		began := time.Now()
		err := c.follow(a, at)
		if c.ctx.Err() != nil {
			return
		}
		c.disconnected(a, err)
		if time.Since(began) >= settled {
			pause, failures = minBackoff, 0
		}
		if failures++; failures%len(c.authorities) != 0 {
			continue // the next one at once
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, maxBackoff)
	}
}

// follow subscribes to one authority and applies what it tells, until the stream ends. It
// returns why. Look-ups go there too: no other one has certainly heard of what was applied.
func (c *Client) follow(a *authority, at int) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	quiet := time.AfterFunc(c.silence, cancel)
	defer quiet.Stop()
	more := http.Header{"Accept": {"text/event-stream"}}
	if last := c.subscription.at(); last.Epoch != "" {
		more.Set("Last-Event-ID", last.String())
	}
	resp, err := c.send(ctx, a, request{method: http.MethodGet, path: "changes"}, more)
	if err != nil {
		return silentOr(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxAnswer))
		if err != nil {
			return silentOr(ctx, unreachable(ctx, err))
		}
		return c.problemOf(answer{status: resp.StatusCode, header: resp.Header, body: body})
	}
	acks := newAcks(c, a, resp.Header.Get(wire.StreamHeader))
	defer acks.stop()
	stream := newEvents(resp.Body)
	for {
		e, err := stream.next()
		switch {
		case errors.Is(err, io.EOF):
			return errEnded
		case err != nil:
			return silentOr(ctx, err)
		}
		quiet.Reset(c.silence)
		c.preferred.Store(int32(at))
		if e.name == "" {
			continue
		}
		c.apply(a, e)
		if e.position == c.subscription.at() { // not after a hello that a reset follows
			acks.put(e.position)
		}
	}
}

var (
	errEnded  = errors.New("the authority ended the subscription")
	errSilent = errors.New("the authority has said nothing for too long")
)

// silentOr returns why a subscription failed. Its context ends because of silence, or because the
// client is closed, and then nobody asks why.
func silentOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errSilent
	}
	return err
}

// apply does what an event says. The position is set after, so that nobody believes that a
// change is applied that is not.
func (c *Client) apply(a *authority, e event) {
	switch e.name {
	case wire.HelloEvent:
		c.connected(a)
		return // a reset follows, or what was missed
	case wire.ResetEvent:
		if c.subscription.at().Epoch != "" { // not at start
			c.options.Observer.Gap("lost")
		}
		if c.subscription.misses(e.position) {
			c.options.Reset()
		}
	case wire.ChangeEvent:
		c.options.Apply(e.change)
		c.options.Observer.Applied(e.change.Kind)
	}
	c.subscription.applied(e.position)
}

func (c *Client) connected(a *authority) {
	s := &c.subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url, s.up, s.since, s.problem = a.url, true, c.options.Now(), nil
	clear(s.told)
	c.options.Upstream(nil)
	c.options.Logger().Info("subscribed to an authority", zap.String("authority", a.url), zap.String("workspace", c.options.WorkspaceURL))
}

func (c *Client) disconnected(a *authority, err error) {
	s := &c.subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up {
		s.since = c.options.Now()
	}
	s.url, s.up, s.problem = a.url, false, err
	c.options.Upstream(err)
	if s.told[a.url] == err.Error() {
		return
	}
	s.told[a.url] = err.Error()
	log := c.options.Logger().Warn
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok && outage.Outage.NeedsOperator() {
		log = c.options.Logger().Error
	}
	log("not subscribed to an authority; what is known of tokens ages by cache ttl until this edge is told of changes again",
		zap.String("authority", a.url), zap.String("workspace", c.options.WorkspaceURL), zap.Error(err))
}
