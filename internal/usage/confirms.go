package usage

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxConfirms is how many answers wait to be confirmed, and maxPerToken those of one
	// token. Others are left out: the next ones say the same.
	maxConfirms = 256
	maxPerToken = 16
	// confirmDelay is how long an answer waits for others of its token, so that one look-up
	// does for them. It ends when somebody waits for answers.
	confirmDelay = time.Second
	// confirmRate is how many tokens are looked up in a second at most, after a burst.
	confirmRate  = 1
	confirmBurst = 32
	// confirmTimeout bounds one look-up, and how long reports wait for answers.
	confirmTimeout = 5 * time.Second
	// confirmTries is how often a token is looked up for one answer: a look-up that was
	// under way when the answer came does not count.
	confirmTries = 2
	// confirmGrace is how long a ledger that is closed waits for answers.
	confirmGrace = time.Second
)

// confirms holds answers until the workspace says that the token still has the scopes that
// it was judged by. One goroutine looks the tokens up, one after the other, as long as there
// are any.
type confirms struct {
	options   Options
	confirmed func(Answer)
	budget    *rate.Limiter
	cancel    context.CancelFunc
	ctx       context.Context

	mu      sync.Mutex
	waiting []confirm
	hurry   int           // who waits for answers
	rush    chan struct{} // signals that somebody does
	idle    chan struct{} // closed when nothing waits any more; nil while nothing does
	closed  bool
}

// confirm is an answer that waits.
type confirm struct {
	Answer
	says            uint64    // the answer's key
	answered, added time.Time // by the clock of facts, and by that of timers
	tries           int
}

func (c *confirms) begin(options Options, confirmed func(Answer)) {
	c.options, c.confirmed, c.rush = options, confirmed, make(chan struct{}, 1)
	c.budget = rate.NewLimiter(rate.Limit(options.ConfirmRate), max(1, int(confirmBurst*options.ConfirmRate)))
	c.ctx, c.cancel = context.WithCancel(context.Background())
}

// add makes an answer wait, unless one that says the same of the same token does.
func (c *confirms) add(a Answer) {
	now, says := c.options.Now(), a.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.options.Scopes == nil || c.closed || len(c.waiting) >= maxConfirms {
		return
	}
	ofToken := 0
	for i := range c.waiting {
		w := &c.waiting[i]
		if w.Token != a.Token {
			continue
		}
		if ofToken++; ofToken == maxPerToken || w.Operation == a.Operation && w.says == says {
			return
		}
	}
	c.waiting = append(c.waiting, confirm{Answer: a, says: says, answered: now, added: time.Now()})
	if c.idle == nil {
		c.idle = make(chan struct{})
		go c.run()
	}
}

// run confirms answers until none waits.
func (c *confirms) run() {
	for {
		c.mu.Lock()
		if len(c.waiting) == 0 || c.ctx.Err() != nil {
			c.waiting = nil
			close(c.idle)
			c.idle = nil
			c.mu.Unlock()
			return
		}
		token, delay := c.waiting[0].Token, time.Until(c.waiting[0].added.Add(confirmDelay))
		if c.hurry > 0 {
			delay = 0
		}
		c.mu.Unlock()
		c.pause(delay)
		if c.budget.Wait(c.ctx) != nil {
			continue // it is closed
		}
		for _, a := range c.take(token) {
			c.confirmed(a)
		}
	}
}

// pause waits for more answers, unless somebody waits for those that are there.
func (c *confirms) pause(delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.rush:
	case <-c.ctx.Done():
	}
}

// take looks a token up, takes its answers out, and returns those that are confirmed.
func (c *confirms) take(token [sha256.Size]byte) (confirmed []Answer) {
	ctx, cancel := context.WithTimeout(c.ctx, confirmTimeout)
	defer cancel()
	held, at, err := c.options.Scopes(ctx, token)
	set := sortedSet(held)
	c.mu.Lock()
	defer c.mu.Unlock()
	var later []confirm
	for _, w := range c.waiting {
		switch {
		case w.Token != token:
			later = append(later, w)
		case err != nil:
		case at.Before(w.answered):
			if w.tries++; w.tries < confirmTries {
				later = append(later, w)
			}
		case set != nil && slices.Equal(set, sortedSet(w.Held)):
			confirmed = append(confirmed, w.Answer)
		}
	}
	c.waiting = later
	return confirmed
}

// wait waits until no answer waits, for a limited time.
func (c *confirms) wait(ctx context.Context, most time.Duration) {
	c.mu.Lock()
	idle := c.idle
	if idle == nil {
		c.mu.Unlock()
		return
	}
	c.hurry++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hurry--
	}()
	select {
	case c.rush <- struct{}{}:
	default: // it is told
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-idle:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// close ends it. Answers that wait have a moment left.
func (c *confirms) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wait(context.Background(), confirmGrace)
	c.cancel()
	c.wait(context.Background(), confirmGrace)
}
