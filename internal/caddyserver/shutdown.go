package caddyserver

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// When a process is told to end, its servers close their listeners and idle connections,
// announce the end on the others (GOAWAY, Connection: close) and wait for the grace
// period. What is still open then is cut here, so that its handlers return and leave
// their records. After that everything has little time to flush.
//
// A Kubernetes pod has 30 seconds. The defaults use at most 3 for the shutdown delay, 10
// for the grace period and 8 for the rest.
const (
	// DefaultGracePeriod is how long requests may go on after the process was told to
	// end. Caddy's default is forever.
	DefaultGracePeriod = 10 * time.Second

	// shutdownDelay is enough for a probe every second or two to fail.
	shutdownDelay = 3 * time.Second

	// cutTime is how long handlers have to return after their connections were cut.
	cutTime = 2 * time.Second

	// exitTime bounds everything after the grace period: a collector that hangs
	// holds Caddy's tracing for 30 seconds.
	exitTime = 8 * time.Second
)

// setGracePeriod sets the default of the app. A negative value of the operator's means
// forever.
func setGracePeriod(app *caddyhttp.App) {
	app.GracePeriod = cmp.Or(app.GracePeriod, caddy.Duration(DefaultGracePeriod))
}

// DelayShutdown makes the HTTP app that a handler is being provisioned for keep its ports
// open for a while at the end, unless the operator says how long, so that load balancers
// see that probes fail.
func DelayShutdown(ctx caddy.Context) {
	if app, ok := httpApp(ctx); ok {
		app.ShutdownDelay = cmp.Or(app.ShutdownDelay, caddy.Duration(shutdownDelay))
	}
}

// ErrExit is the cause of the end of requests that outlasted the grace period.
var ErrExit = errors.New("the gateway is shutting down")

// The requests of all configurations end with the process.
var (
	exiting, endRequests = context.WithCancelCause(context.Background())
	connections          sync.Map     // of net.Conn that are open
	inFlight             atomic.Int64 // requests
)

// Requests returns a context that ends with the grace period, as all requests do.
func Requests() context.Context { return exiting }

// hold makes a connection and the contexts of its requests end with the grace period.
func hold(ctx context.Context, c net.Conn) context.Context {
	connections.Store(c, nil)
	return connection{exiting, ctx}
}

// release lets go of a connection that is closed, or was taken over by a handler, which
// closes it when its request ends.
func release(c net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		connections.Delete(c)
	}
}

// cut ends all requests. A canceled context is not enough: the HTTP/2 client of a proxy
// does not notice it while it waits for more of the request.
func cut() {
	endRequests(ErrExit)
	connections.Range(func(c, _ any) bool {
		go func() { _ = c.(net.Conn).Close() }() // TLS may wait to say goodbye
		return true
	})
}

// connection is the context of a connection. It ends with the embedded context, and has
// the values of the other.
type connection struct {
	context.Context
	values context.Context
}

func (c connection) Value(key any) any {
	// The embedded context first: the package context asks for its own key, and without
	// an answer it would start a goroutine for each connection.
	if value := c.Context.Value(key); value != nil {
		return value
	}
	return c.values.Value(key)
}

// OnExit registers what flushes when the process ends, after the grace period. Modules
// are cleaned up only after that and in random order, so that one that hangs would keep
// others from flushing.
func (s *Servers) OnExit(flush func()) { s.flush = flush }

// stopped is called when the servers of an app have shut down. It returns when everything
// is flushed.
func (s *Servers) stopped(grace context.Context) error {
	if caddy.Exiting() {
		// Requests that began before a reload have the rest of the grace period, too.
		// Caddy has ceased to wait for them.
		awaitHandlers(grace)
		finish()
	}
	return nil
}

// finishing is set once the process finishes.
var finishing atomic.Bool

// finish cuts what is still open, and returns when everything is flushed. From then on
// the time of the process is limited. It returns false at once if it was called before.
func finish() bool {
	if !finishing.CompareAndSwap(false, true) {
		return false
	}
	time.AfterFunc(exitTime, func() {
		tell(func() {
			caddy.Log().Error("shutting down takes too long; quitting", zap.Duration("after", exitTime))
		})
		os.Exit(caddy.ExitCodeFailedQuit)
	})
	cut()
	patience, cancel := context.WithTimeout(context.Background(), cutTime)
	defer cancel()
	awaitHandlers(patience)
	var flushing sync.WaitGroup
	for s := range running.Range {
		if flush := s.(*Servers).flush; flush != nil {
			flushing.Go(flush)
		}
	}
	flushing.Wait()
	return true
}

// awaitHandlers waits until no handler is running, or patience ends.
func awaitHandlers(patience context.Context) {
	for inFlight.Load() > 0 && patience.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}
