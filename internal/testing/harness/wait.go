package harness

import (
	"context"
	"testing"
	"time"
)

// WaitFor waits up to [Patience] until done returns true.
func WaitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	WaitUpTo(t, Patience, what, done)
}

// WaitUpTo waits up to limit until done returns true.
func WaitUpTo(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// Context returns a context that ends after [Patience], for waits on channels.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}
