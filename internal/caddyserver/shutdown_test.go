package caddyserver

import (
	"context"
	"testing"
	"time"
)

// TestTimeToEnd: with the defaults a process ends before Kubernetes, which waits for 30
// seconds, kills it.
func TestTimeToEnd(t *testing.T) {
	t.Parallel()
	if worst := shutdownDelay + DefaultGracePeriod + beginTime + exitTime; worst >= 25*time.Second {
		t.Errorf("the process may take %v", worst)
	}
	if cutTime >= exitTime {
		t.Error("there is no time to flush")
	}
}

func TestConnectionContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	ended, end := context.WithCancelCause(context.Background())
	ctx := connection{ended, context.WithValue(context.Background(), key{}, "value")}
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	if child.Value(key{}) != "value" || child.Err() != nil {
		t.Errorf("value %v, error %v", child.Value(key{}), child.Err())
	}
	end(ErrExit)
	// At once: no goroutine has to notice.
	if child.Err() == nil || context.Cause(child) != ErrExit { //nolint:errorlint // the very error
		t.Errorf("cause %v", context.Cause(child))
	}
}
