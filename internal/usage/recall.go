package usage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// recallEvery is how often what other gateways learned is read from the store.
	recallEvery = time.Hour
	// recallTimeout bounds how long a start waits for what was learned before it.
	recallTimeout = 2 * time.Second
)

// Learned returns what refusals said that rows permit beside what they list.
func (l *Ledger) Learned() *Learned { return &l.learned }

// Recall completes Learned by what the store has, now and every hour, so that it is known
// after a restart and what other gateways learned holds here. It takes at most 2 seconds.
// An error means that it is tried again with the next flush.
func (l *Ledger) Recall() error {
	l.recalls.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), recallTimeout)
	defer cancel()
	if err := l.recallFrom(ctx); err != nil {
		return fmt.Errorf("reading what was learned: %w", err)
	}
	return nil
}

// recallAgain is for flushes.
func (l *Ledger) recallAgain(ctx context.Context) {
	if l.recalls.Load() {
		ctx, cancel := context.WithTimeout(ctx, stateTimeout)
		defer cancel()
		_ = l.recallFrom(ctx) // it is tried again, and the flush tells what is wrong with the store
	}
}

// recallFrom reads the store if it is time to.
func (l *Ledger) recallFrom(ctx context.Context) error {
	now := l.options.Now()
	l.mu.Lock()
	due := l.recalled.IsZero() || now.Sub(l.recalled) >= recallEvery
	l.mu.Unlock()
	if !due {
		return nil
	}
	var state State
	err := await(ctx, func() (err error) {
		state, err = l.state(ctx)
		return err
	})
	if errors.Is(err, errNoAnswer) {
		return err // state may still be written
	}
	l.learned.recall(state.Lessons)
	if err != nil {
		return err // of some of the gateways
	}
	l.mu.Lock()
	l.recalled = now
	l.mu.Unlock()
	return nil
}
