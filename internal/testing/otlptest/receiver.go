package otlptest

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Protocol is the protocol of a receiver, as OTEL_EXPORTER_OTLP_PROTOCOL spells it.
type Protocol string

const (
	HTTP Protocol = "http/protobuf"
	GRPC Protocol = "grpc"
)

const (
	// MaxKept is how many spans, and how many log records, a receiver keeps. It only
	// counts the rest.
	MaxKept = 20000

	maxHeaders = 1000     // calls whose headers are kept
	maxBody    = 16 << 20 // bytes of one call, decompressed
	waitLimit  = 10 * time.Second
)

// Receiver is a running OTLP receiver. Its methods may be called from any goroutine.
type Receiver struct {
	protocol Protocol
	address  string
	stop     func()
	stopped  chan struct{}
	calling  sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something arrives
	fault   fault
	calls   int
	headers kept[http.Header]
	spans   kept[Span]
	logs    kept[Log]
}

// kept holds the first items and the total.
type kept[T any] struct {
	items []T
	total int
}

func (k *kept[T]) add(limit int, items ...T) {
	k.total += len(items)
	k.items = append(k.items, items[:min(len(items), limit-len(k.items))]...)
}

// Start starts a receiver on a free port of the loopback interface. It is stopped
// when the test ends.
func Start(t testing.TB, protocol Protocol) *Receiver {
	t.Helper()
	return StartAt(t, protocol, "127.0.0.1:0")
}

// StartAt is [Start] at a given address, such as that of a stopped receiver.
func StartAt(t testing.TB, protocol Protocol, address string) *Receiver {
	t.Helper()
	r, err := Listen(protocol, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// Listen starts a receiver outside a test. The caller must stop it.
func Listen(protocol Protocol, address string) (*Receiver, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for OTLP: %w", err)
	}
	r := &Receiver{
		protocol: protocol,
		address:  listener.Addr().String(),
		stopped:  make(chan struct{}),
		changed:  make(chan struct{}),
	}
	switch protocol {
	case HTTP:
		r.stop = r.serveHTTP(listener)
	case GRPC:
		r.stop = r.serveGRPC(listener)
	default:
		listener.Close()
		return nil, fmt.Errorf("listening for OTLP: unknown protocol %q", protocol)
	}
	return r, nil
}

// Address returns the host and port that the receiver listens on.
func (r *Receiver) Address() string { return r.address }

// URL returns the receiver's address for OTEL_EXPORTER_OTLP_ENDPOINT, for either
// protocol.
func (r *Receiver) URL() string { return "http://" + r.address }

// Env returns the standard variables that point an exporter here.
func (r *Receiver) Env() map[string]string {
	return map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL(),
		"OTEL_EXPORTER_OTLP_PROTOCOL": string(r.protocol),
	}
}

// Setenv sets [Receiver.Env] for the rest of a test.
func (r *Receiver) Setenv(t testing.TB) {
	t.Helper()
	for name, value := range r.Env() {
		t.Setenv(name, value)
	}
}

// Stop closes the listener and every connection at once, like a collector that is
// killed, and waits for running calls to end. What arrived can still be read. Stopping
// twice is harmless.
func (r *Receiver) Stop() {
	r.mu.Lock()
	select {
	case <-r.stopped:
	default:
		close(r.stopped)
	}
	r.mu.Unlock()
	r.stop()
	r.calling.Wait()
}

// Spans returns the spans in order of arrival.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans.items)
}

// Logs returns the log records in order of arrival.
func (r *Receiver) Logs() []Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.logs.items)
}

// Counts returns how many spans and log records arrived, including those that were
// not kept.
func (r *Receiver) Counts() (spans, logs int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans.total, r.logs.total
}

// Calls returns how many well-formed export calls arrived, including refused ones.
func (r *Receiver) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Headers returns the headers, or gRPC metadata, of the first thousand calls.
func (r *Receiver) Headers() []http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	headers := make([]http.Header, len(r.headers.items))
	for i, h := range r.headers.items {
		headers[i] = maps.Clone(h)
	}
	return headers
}

// WaitSpans waits until at least n spans have arrived and returns all of them. The test
// fails after ten seconds.
func (r *Receiver) WaitSpans(t testing.TB, n int) []Span {
	t.Helper()
	r.wait(t, "spans", n, func() int { return r.spans.total })
	return r.Spans()
}

// WaitLogs is [Receiver.WaitSpans] for log records.
func (r *Receiver) WaitLogs(t testing.TB, n int) []Log {
	t.Helper()
	r.wait(t, "log records", n, func() int { return r.logs.total })
	return r.Logs()
}

// WaitCalls is [Receiver.WaitSpans] for calls, including refused ones.
func (r *Receiver) WaitCalls(t testing.TB, n int) {
	t.Helper()
	r.wait(t, "calls", n, func() int { return r.calls })
}

func (r *Receiver) wait(t testing.TB, what string, n int, count func() int) {
	t.Helper()
	timeout := time.NewTimer(waitLimit)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		got, changed := count(), r.changed
		r.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("%d %s arrived within %s, want %d", got, what, waitLimit, n)
		}
	}
}

// notify wakes all waiters. The caller holds mu.
func (r *Receiver) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}
