package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/tokens"
)

// polls are the pauses between questions whether another gateway's look-up has ended.
var polls = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond}

// maxPolled bounds the look-ups that are asked about in one go.
const maxPolled = 100

// waiting are the look-ups of other gateways that this one waits for. All are asked about
// together, by one goroutine while there are any: asked about one by one, a fleet that starts
// at once would keep the store and its gateways busy with that alone.
type waiting struct {
	mu      sync.Mutex
	waiters []*waiter
	polling bool
}

// waiter waits for another gateway's look-up.
type waiter struct {
	id    tokens.ID
	after time.Time
	lease string
	due   time.Time
	polls int
	left  bool // the list's lock guards it
	// told gets what is known once the look-up has ended, or the store is down.
	told chan outcome
}

type outcome struct {
	found    tokens.Answer
	answered bool
	err      error
}

// await waits for the end of another gateway's look-up, as long as ctx lasts.
func (s *Store) await(ctx context.Context, id tokens.ID, after time.Time, lease string) (outcome, error) {
	w := &waiter{id: id, after: after, lease: lease, due: time.Now().Add(polls[0]), told: make(chan outcome, 1)}
	all := &s.waiting
	all.mu.Lock()
	all.waiters = append(all.waiters, w)
	if !all.polling {
		all.polling = true
		s.running.Go(s.poll)
	}
	all.mu.Unlock()
	select {
	case told := <-w.told:
		return told, nil
	case <-ctx.Done():
		all.leave(w)
		return outcome{}, ctx.Err()
	case <-s.ctx.Done():
		return outcome{}, s.ctx.Err()
	}
}

func (all *waiting) leave(w *waiter) {
	all.mu.Lock()
	defer all.mu.Unlock()
	w.left = true
	if i := slices.Index(all.waiters, w); i >= 0 {
		all.waiters = slices.Delete(all.waiters, i, i+1)
	}
}

// next takes the waiters that are due, or returns when there will be some. It ends the polling
// if nobody waits.
func (all *waiting) next(now time.Time) (due []*waiter, wait time.Duration, polling bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(all.waiters) == 0 {
		all.polling = false
		return nil, 0, false
	}
	wait = polls[len(polls)-1]
	all.waiters = slices.DeleteFunc(all.waiters, func(w *waiter) bool {
		if w.due.After(now) || len(due) == maxPolled {
			wait = min(wait, max(0, w.due.Sub(now)))
			return false
		}
		due = append(due, w)
		return true
	})
	return due, wait, true
}

// back has waiters wait on.
func (all *waiting) back(waiters []*waiter) {
	now := time.Now()
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, w := range waiters {
		w.polls++
		w.due = now.Add(polls[min(w.polls, len(polls)-1)])
		if !w.left { // while it was asked about
			all.waiters = append(all.waiters, w)
		}
	}
}

// poll asks about the look-ups that are waited for until there are none.
func (s *Store) poll() {
	for s.ctx.Err() == nil {
		due, wait, polling := s.waiting.next(time.Now())
		if !polling {
			return
		}
		if len(due) > 0 {
			s.waiting.back(s.ask(due))
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
		}
	}
}

// ask tells waiters whose look-up has ended, and returns the others.
func (s *Store) ask(waiters []*waiter) (others []*waiter) {
	names := make([][]string, len(waiters))
	commands := make([]redis.Command, len(waiters))
	for i, w := range waiters {
		names[i] = s.names(labelFacts, w.id[:])
		commands[i] = bounded(maxEntry, append([]string{w.lease}, names[i]...)...)
	}
	results, err := s.options.Conn.Do(s.ctx, "lease", commands...)
	for i, w := range waiters {
		if err != nil {
			w.told <- outcome{err: err}
			continue
		}
		values, err := results[i].Array()
		if err != nil {
			w.told <- outcome{err: err}
			continue
		}
		held := len(values) > 0 && !values[0].IsNil()
		found, ok := s.best(w.id, names[i], values[min(1, len(values)):])
		switch ok = ok && found.At.After(w.after); {
		case ok, !held:
			w.told <- outcome{found: found, answered: ok}
		default:
			others = append(others, w)
		}
	}
	return others
}
