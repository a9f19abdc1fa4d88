package caddyserver

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Caddy logs before it acts on a signal, and again while it shuts down. If nobody reads
// its log, as when the pipe of standard error is full, these lines wait forever. What
// follows waits for none.

const (
	// beginTime is how long Caddy has to begin to shut down, and how much later than
	// the grace period it may come to the end.
	beginTime = 2 * time.Second

	// tellTime bounds how long a last line may hold up the end.
	tellTime = 100 * time.Millisecond
)

// WatchSignals makes the process end in time when SIGTERM or SIGINT tells it to, and at
// once at a second signal. Caddy has to handle the signals, too. It is for a binary that
// is a gateway, because it exits the process.
func WatchSignals() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	go func() {
		if <-signals == syscall.SIGQUIT {
			time.AfterFunc(beginTime, func() { os.Exit(caddy.ExitCodeForceQuit) }) // Caddy releases locks
		} else {
			go endInTime()
		}
		again := <-signals
		tell(func() { caddy.Log().Warn("force quit", zap.Stringer("signal", again)) })
		os.Exit(caddy.ExitCodeForceQuit)
	}()
}

// endInTime ends the process if Caddy does not.
func endInTime() {
	time.Sleep(beginTime)
	why := "shutting down could not begin"
	if caddy.Exiting() {
		limit, limited := stopTime()
		if !limited {
			return
		}
		time.Sleep(limit)
		why = "shutting down got stuck"
	}
	if !finish() {
		return // that ends in time
	}
	tell(func() { caddy.Log().Error(why + "; quitting") })
	os.Exit(caddy.ExitCodeFailedQuit)
}

// stopTime returns how long the servers may take to stop, if that has a limit.
func stopTime() (limit time.Duration, limited bool) {
	for s := range running.Range {
		app := s.(*Servers).app
		if app == nil || app.GracePeriod <= 0 {
			return 0, false
		}
		limit, limited = max(limit, time.Duration(app.ShutdownDelay)+time.Duration(app.GracePeriod)), true
	}
	return limit, limited
}

// running holds the [Servers] that have started and are not closed.
var running sync.Map

// tell logs a line, if that does not take long.
func tell(log func()) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		log()
	}()
	select {
	case <-told:
	case <-time.After(tellTime):
	}
}
