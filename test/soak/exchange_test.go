package soak

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request, as its client saw it. Its id is the User-Agent, so that the
// workspace and the audit name it too.
type exchange struct {
	id, kind, client string

	mu    sync.Mutex
	wrote time.Time // when the request was sent, all of it; zero if it was not

	began     time.Time
	ended     time.Time
	status    int    // 0 if there was no answer
	requestID string // of the answer
	reason    string // why the gateway answered itself; empty for an answer of the workspace
	whole     bool   // the client got all of the answer
	left      bool   // the client gave up
}

func (x *exchange) String() string {
	return fmt.Sprintf("%s (%s, %s, began %s, sent %s, ended %s, status %d, whole %t, left %t)", x.id, x.kind, x.client,
		x.began.Format(clock), x.sent().Format(clock), x.ended.Format(clock), x.status, x.whole, x.left)
}

const clock = "15:04:05.000"

func (x *exchange) sent() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.wrote
}

// ledger has all exchanges.
type ledger struct {
	last atomic.Int64

	mu   sync.Mutex
	all  map[string]*exchange
	seen map[string]int // how often a request reached the workspace, by id
}

func newLedger() *ledger {
	return &ledger{all: make(map[string]*exchange), seen: make(map[string]int)}
}

// send sends a request and returns what came of it. The caller must call end.
func (l *ledger) send(client client, kind string, r *http.Request) (*http.Response, *exchange, error) {
	x := &exchange{id: fmt.Sprintf("soak/%d", l.last.Add(1)), kind: kind, client: client.name, began: time.Now()}
	l.mu.Lock()
	l.all[x.id] = x
	l.mu.Unlock()
	r.Header.Set("User-Agent", x.id)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			x.mu.Lock()
			defer x.mu.Unlock()
			if info.Err == nil {
				x.wrote = time.Now()
			}
		},
	}))
	response, err := client.RoundTrip(r)
	if err == nil {
		x.status, x.requestID = response.StatusCode, response.Header.Get("X-Request-Id")
		x.reason = response.Header.Get("X-Scopegate-Reason")
	}
	return response, x, err
}

// end notes how the exchange ended. The error is nil if the client got all of the answer.
func (x *exchange) end(r *http.Request, err error) {
	x.ended = time.Now()
	x.whole = err == nil
	// Deadlines of a connection end a little before those of its context.
	deadline, bounded := r.Context().Deadline()
	x.left = err != nil && (r.Context().Err() != nil || bounded && time.Until(deadline) < 10*time.Millisecond)
}

// whole is the result of an exchange that went well.
const whole = "whole"

// result says in a few words how the exchange ended.
func (x *exchange) result() string {
	switch {
	case x.status == 0 && x.sent().IsZero():
		return "not sent"
	case x.status == 0:
		return "without an answer"
	case x.reason != "":
		return fmt.Sprintf("answered %d %s", x.status, x.reason)
	case x.whole:
		return whole
	default:
		return "cut"
	}
}

// do sends a request and reads the answer. The body is complete if there is no error.
func (l *ledger) do(client client, kind string, r *http.Request) (*http.Response, *exchange, []byte, error) {
	response, x, err := l.send(client, kind, r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(response.Body)
		err = errors.Join(err, response.Body.Close())
	}
	x.end(r, err)
	return response, x, body, err
}

// arrive notes that a request reached the workspace.
func (l *ledger) arrive(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[id]++
}

// arrived reports whether a request reached the workspace.
func (l *ledger) arrived(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[id] > 0
}
