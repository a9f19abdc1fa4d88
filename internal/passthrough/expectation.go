package passthrough

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// ContinueTimeout is how long the workspace may leave a client without an answer to
// Expect: 100-continue. Then the body is sent all the same: some servers ignore the header.
// curl and Go's own client wait as long.
const ContinueTimeout = time.Second

// errNotAsked ends the body of a request whose client was never told to send it.
var errNotAsked = errors.New("the workspace answered without asking for the body")

// expectation is the body of a request whose client waits for 100 Continue before it sends
// that body. Go's server sends 100 as soon as somebody reads the body, and Go's client
// reads it even after a final answer, to be able to reuse the connection. So the first read
// waits until the workspace has said what it wants.
type expectation struct {
	io.ReadCloser

	first    sync.Once
	declined bool          // set by the first read
	asked    chan struct{} // closed by 100 Continue of the workspace
	answered chan struct{} // closed by its final answer
	ended    chan struct{} // closed when nothing is left to wait for

	mu    sync.Mutex
	until time.Time // how long the first read waits; zero where headers were not sent yet
	begun bool      // the client has been asked for the body, or will be by the first read
}

// expect returns the request with which to call a proxy, and what the client expects; nil
// where it does not wait for 100 Continue.
func expect(r *http.Request) (*expectation, *http.Request) {
	waits := httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
	switch {
	case !r.ProtoAtLeast(1, 1):
		// It must be ignored from a client of HTTP/1.0, to which the workspace's 100 cannot
		// be forwarded (RFC 9110, section 10.1.1).
		if waits {
			delete(r.Header, "Expect")
		}
		return nil, r
	case r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody:
		return nil, r
	case r.ProtoMajor == 2 && awaitsContinue(r.Body):
		// Go's server has taken the header out.
		r.Header.Set("Expect", "100-continue")
	case !waits:
		return nil, r
	}
	e := &expectation{
		ReadCloser: r.Body,
		asked:      make(chan struct{}),
		answered:   make(chan struct{}),
		ended:      make(chan struct{}),
	}
	// The transport calls this once it has sent the headers and waits. One that does not
	// could not get an answer while the first read waits.
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Wait100Continue: e.headersSent})
	r = r.WithContext(ctx)
	r.Body = e
	return e, r
}

func (e *expectation) headersSent() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.until = time.Now().Add(ContinueTimeout)
}

// Read implements io.Reader.
func (e *expectation) Read(p []byte) (int, error) {
	e.first.Do(e.wait)
	if e.declined {
		return 0, errNotAsked
	}
	return e.ReadCloser.Read(p)
}

// wait waits until the body is asked for, or the exchange is over.
func (e *expectation) wait() {
	e.mu.Lock()
	until := e.until
	e.mu.Unlock()
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		select {
		case <-e.asked:
		case <-e.answered:
		case <-e.ended:
		case <-timer.C:
		}
	}
	e.mu.Lock()
	e.declined = !e.begun && (isClosed(e.answered) || isClosed(e.ended))
	e.begun = e.begun || !e.declined
	e.mu.Unlock()
	if e.declined {
		// An error now would make the transport drop the connection on which the answer
		// is still arriving.
		<-e.ended
	}
}

// proceed passes on the workspace's 100 Continue, unless the client has one already.
func (e *expectation) proceed(write func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun {
		return
	}
	e.begun = true
	write() // from now on the server sends none of its own
	close(e.asked)
}

// answer notes that the final answer begins.
func (e *expectation) answer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !isClosed(e.answered) {
		close(e.answered)
	}
}

// end ends all waiting.
func (e *expectation) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !isClosed(e.ended) {
		close(e.ended)
	}
}

// Close implements io.Closer.
func (e *expectation) Close() error {
	e.end()
	return e.ReadCloser.Close()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
