package exchange

import (
	"cmp"
	"net/http"
	"sync"

	"github.com/google/uuid"

	"github.com/scopegate/scopegate/internal/audit"
)

// life is what becomes of a request after the decision. Its record may be asked for at
// any time: by a timer when the request lasts, and at the end of the process.
type life struct {
	mu       sync.Mutex
	opened   bool // a record was made while it went on
	closed   bool // the last one was made
	returned bool // the next handlers have

	outcome   audit.Outcome // empty while it is not known
	detail    string
	status    int          // that Caddy will answer an error with
	requestID string       // of a record that was made before, or of our own answer
	upstream  responseHead // what they answered
}

// passed notes that the next handlers have returned: what is answered from now on is
// ours.
func (x *exchange) passed() {
	l := &x.life
	l.mu.Lock()
	defer l.mu.Unlock()
	head := x.w.answered()
	if head.status == statusClientLeft && x.r.Context().Err() != nil {
		l.outcome, head = audit.ClientLeft, responseHead{}
	}
	if x.cut() {
		l.outcome = audit.Aborted
	}
	l.returned, l.upstream = true, head
}

// statusClientLeft is what Caddy's proxy writes to a client that is not there any more.
const statusClientLeft = 499

// end notes how the request ended, unless that is known, and returns the id that its
// records have, which is empty if there is none yet.
func (l *life) end(outcome audit.Outcome, detail string) (requestID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcome == "" {
		l.outcome, l.detail = outcome, detail
	}
	return l.requestID
}

// identify notes the id of our own answer.
func (l *life) identify(requestID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requestID = requestID
}

// failed notes the status that Caddy will answer an error with.
func (l *life) failed(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcome, l.status = audit.Failed, status
}

// open emits the record of a request that has not ended.
func (x *exchange) open() {
	x.life.mu.Lock()
	if x.life.closed {
		x.life.mu.Unlock()
		return
	}
	rec := *x.rec
	x.complete(&rec, audit.Open)
	if rec.RequestID == "" {
		rec.RequestID = uuid.NewString()
	}
	x.life.requestID, x.life.opened = rec.RequestID, true
	x.e.Metrics.Open(1)
	x.life.mu.Unlock()
	x.emit(&rec, false)
}

// close emits the last record of the request, once. The outcome is for a request of which
// none is known.
func (x *exchange) close(outcome audit.Outcome) {
	x.life.mu.Lock()
	first := !x.life.closed
	x.life.closed = true
	// The handler of a request that is cut off may still use its record.
	rec := x.rec
	if outcome == audit.Aborted {
		rec = new(audit.Record)
		*rec = *x.rec
	}
	if first {
		x.complete(rec, outcome)
	}
	x.life.mu.Unlock()
	if !first {
		return
	}
	if x.e.Recorded { // as when it was added
		inFlight.remove(x)
	}
	if x.life.opened {
		x.e.Metrics.Open(-1)
	}
	x.e.Metrics.Outcome(string(rec.Outcome))
	x.emit(rec, x.reserved)
}

// complete adds what became of the request. The lock of its life is held.
func (x *exchange) complete(rec *audit.Record, outcome audit.Outcome) {
	l := &x.life
	head := x.w.answered()
	answered := head // by the next handlers
	if l.returned {
		answered = l.upstream
	}
	rec.Status = head.status
	rec.BytesReceived = x.w.read.Load()
	rec.BytesSent = x.w.sent.Load()
	rec.Duration = x.e.Now().Sub(rec.Time)
	rec.Outcome = cmp.Or(l.outcome, outcome)
	if rec.Refused() {
		return
	}
	switch rec.Outcome {
	case audit.Answered:
		if head.status == http.StatusSwitchingProtocols || x.r.Method == http.MethodConnect {
			rec.Outcome = audit.Upgraded
		}
		rec.Status = cmp.Or(head.status, http.StatusOK) // as net/http answers if no handler did
	case audit.Failed:
		rec.Status = cmp.Or(head.status, l.status)
	case audit.ClientLeft, audit.Aborted:
		rec.Status = answered.status // our own answer goes to no one
	}
	if l.detail != "" {
		rec.Detail = l.detail
	}
	rec.UpstreamStatus = answered.status
	if answered.status != 0 {
		rec.UpstreamDuration = answered.at.Sub(rec.Time) - rec.DecisionDuration
		rec.RequestID = answered.requestID
	}
	if l.requestID != "" && l.requestID != rec.RequestID {
		rec.UpstreamRequestID, rec.RequestID = rec.RequestID, l.requestID
	}
}
