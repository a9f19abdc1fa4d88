package exchange

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/drift"
)

// responseTracker stands between this handler and the next ones: it notes what is
// answered and when, and counts what is read of the request and written of the response.
// Another goroutine may ask it while the request goes on.
type responseTracker struct {
	caddyhttp.ResponseWriterWrapper
	now func() time.Time
	// onHead, unless nil, gets the status before the client does.
	onHead func(status int)

	mu   sync.Mutex // of head
	head responseHead

	sent      atomic.Int64
	read      atomic.Int64          // the proxy may go on reading after it has answered
	readError atomic.Pointer[error] // the client did not send its body
	writeFail atomic.Bool           // the client did not take the response
	bodyDone  atomic.Bool           // the proxy has closed the body
	bodyEnd   atomic.Bool           // the body was read to its end
	http1     bool                  // the body is one of HTTP/1, and not empty

	// peek is whether the beginning of an answer that may name scopes is kept, in peeked.
	peek, peeking bool
	peeked        []byte

	body io.ReadCloser
}

// responseHead is what the header of a response says. The zero value says that there was
// none yet.
type responseHead struct {
	status    int
	at        time.Time
	requestID string // from audit.SafeRequestID
}

func trackResponse(w http.ResponseWriter, now func() time.Time) responseTracker {
	return responseTracker{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, now: now}
}

// answered returns the head of the response.
func (t *responseTracker) answered() responseHead {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// clientFailed reports whether the client stopped reading or sending.
func (t *responseTracker) clientFailed() bool { return t.writeFail.Load() || t.readError.Load() != nil }

// WriteHeader implements http.ResponseWriter.
func (t *responseTracker) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		t.mu.Lock()
		first := t.head.status == 0
		if first {
			t.head = responseHead{status, t.now(), audit.SafeRequestID(t.Header().Get("X-Request-Id"))}
		}
		t.mu.Unlock()
		t.peeking = first && t.peek && drift.Speaks(status)
		if first && t.onHead != nil {
			t.onHead(status)
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *responseTracker) Write(b []byte) (int, error) {
	t.begin()
	n, err := t.ResponseWriter.Write(b)
	if t.peeking {
		t.keep(b)
	}
	t.wrote(int64(n), err)
	return n, err
}

// ReadFrom implements io.ReaderFrom. Its error may be the reader's.
func (t *responseTracker) ReadFrom(r io.Reader) (int64, error) {
	t.begin()
	if t.peeking {
		r = io.TeeReader(r, peekWriter{t})
	}
	n, err := t.ResponseWriterWrapper.ReadFrom(r)
	t.wrote(n, nil)
	return n, err
}

// keep keeps the beginning of an answer, and a byte more than may be used.
func (t *responseTracker) keep(b []byte) {
	t.peeked = append(t.peeked, b[:min(len(b), drift.MaxBody+1-len(t.peeked))]...)
}

type peekWriter struct{ *responseTracker }

func (w peekWriter) Write(b []byte) (int, error) {
	w.keep(b)
	return len(b), nil
}

// endPeek returns what was kept of an answer, nil if that is not all of it, and keeps no
// more: what is answered from now on is ours.
func (t *responseTracker) endPeek() []byte {
	kept := t.peeked
	t.peek, t.peeking, t.peeked = false, false, nil
	if len(kept) > drift.MaxBody {
		return nil
	}
	return kept
}

// begin notes an implicit status 200.
func (t *responseTracker) begin() {
	if t.sent.Load() == 0 && t.answered().status == 0 {
		t.WriteHeader(http.StatusOK)
	}
}

func (t *responseTracker) wrote(n int64, err error) {
	t.sent.Add(n)
	if err != nil {
		t.writeFail.Store(true)
	}
}

// FlushError implements the flushing of http.ResponseController.
func (t *responseTracker) FlushError() error {
	err := http.NewResponseController(t.ResponseWriter).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		t.writeFail.Store(true)
	}
	return err
}

// Hijack implements http.Hijacker: what is written to the connection counts as sent.
func (t *responseTracker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return conn, buffered, err
	}
	tracked := &trackedConn{conn, t}
	buffered.Writer.Reset(tracked)
	return tracked, buffered, nil
}

// trackedConn is a connection that was taken over.
type trackedConn struct {
	net.Conn
	tracker *responseTracker
}

func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.tracker.read.Add(int64(n))
	return n, err
}

func (c *trackedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.tracker.sent.Add(int64(n))
	return n, err
}

// CloseWrite ends one direction, as the proxy does when the workspace has.
func (c *trackedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// LeavesBody implements [passthrough.Response]. net/http does not see that a body was
// closed early once Caddy has wrapped it, and would take the rest for the next request.
func (t *responseTracker) LeavesBody() bool {
	return t.http1 && !t.bodyEnd.Load()
}

const (
	lingerTime = 500 * time.Millisecond // as net/http
	lingerSize = 1 << 20
)

// linger reads a little of what the client goes on sending, after an answer that ends the
// connection. If that was closed at once, the client's system would throw away the answer
// that it has not read yet.
func (t *responseTracker) linger() {
	control := http.NewResponseController(t.ResponseWriter)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, t.body, lingerSize)
}

// watchBody counts what is read of the request's body from now on.
func (t *responseTracker) watchBody(r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		t.body, t.http1 = r.Body, r.ProtoMajor == 1 && r.ContentLength != 0
		r.Body = (*trackedBody)(t)
	}
}

// trackedBody is the request body that a tracker counts.
type trackedBody responseTracker

func (b *trackedBody) Read(to []byte) (int, error) {
	if b.bodyDone.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.body.Read(to)
	b.read.Add(int64(n))
	if err == io.EOF { // net/http tells that with the last bytes, so before the workspace has them
		b.bodyEnd.Store(true)
	}
	if err != nil && err != io.EOF && !b.bodyDone.Load() {
		b.readError.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close makes reads that go on fail, which is not the client's fault. Over HTTP/1 it
// leaves the body open, which net/http closes: closing it would wait for the client if a
// read does, and the answer with it.
func (b *trackedBody) Close() error {
	b.bodyDone.Store(true)
	if b.http1 {
		return nil
	}
	return b.body.Close()
}

// Interface guards
var (
	_ http.Hijacker = (*responseTracker)(nil)
	_ io.ReaderFrom = (*responseTracker)(nil)
)
