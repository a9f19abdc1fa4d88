package usage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is how long a store may take to return after its context has ended. A store
// that takes longer ignores contexts, as file systems do, and is left behind.
const grace = time.Second

// errNoAnswer means that a store did not answer in time.
var errNoAnswer = errors.New("the storage does not answer")

// take waits for a slot, which give frees.
func take(ctx context.Context, slot chan struct{}) error {
	select {
	case slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: an earlier operation has not finished", errNoAnswer)
	}
}

func give(slot chan struct{}) { <-slot }

// await runs f and stops waiting soon after the context has ended. Then f continues
// on its own. An error after the context has ended is errNoAnswer.
func await(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, errNoAnswer) {
			return fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return err
	case <-late.C:
		return errNoAnswer
	}
}
