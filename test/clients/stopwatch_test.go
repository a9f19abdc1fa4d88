package clients_test

import (
	"context"
	"sync"
	"time"
)

// stopwatch bounds and times a call.
type stopwatch struct {
	limit time.Duration
	timer *time.Timer

	mu    sync.Mutex
	began time.Time
}

// startWatch starts a call that is cancelled when it takes longer than the limit.
func startWatch(limit time.Duration, cancel context.CancelFunc) *stopwatch {
	return &stopwatch{limit: limit, began: time.Now(), timer: time.AfterFunc(limit, cancel)}
}

// loading is for programs that take long to load: the call begins later, at begin.
func (w *stopwatch) loading() { w.timer.Reset(patience) }

// begin starts the call again.
func (w *stopwatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = time.Now()
	w.timer.Reset(w.limit)
}

// stop returns how long the call took.
func (w *stopwatch) stop() time.Duration {
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.began)
}
