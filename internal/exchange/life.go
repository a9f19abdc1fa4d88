package exchange

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
)

// life is what becomes of a request after the decision. Its record may be asked for at
// any time: by a timer when the request lasts, and at the end of the process.
type life struct {
	mu     sync.Mutex
	opened bool // a record was made while it went on
	closed bool // the last one was made
	timer  *time.Timer

	outcome   audit.Outcome // empty while it is not known
	detail    string
	status    int           // that Caddy will answer an error with
	requestID string        // of a record that was made before, or of our own answer
	upstream  *responseHead // what the next handlers answered; nil before they returned
}

// passed notes that the next handlers have returned: what is answered from now on is
// ours.
func (l *life) passed(w *responseTracker, request context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := w.answered()
	if head.status == statusClientLeft && request.Err() != nil {
		l.outcome, head = audit.ClientLeft, responseHead{}
	}
	if errors.Is(context.Cause(request), caddyserver.ErrExit) {
		l.outcome = audit.Aborted
	}
	l.upstream = &head
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

// inFlight are the requests that passed and have not ended, in every configuration of
// the process.
var inFlight = struct {
	sync.Mutex
	exchanges map[*exchange]struct{}
}{exchanges: make(map[*exchange]struct{})}

// stayOpen makes a request that lasts leave a record meanwhile, and one that is still
// there at the end of the process leave its last.
func (x *exchange) stayOpen() {
	if !x.e.Recorded {
		return
	}
	inFlight.Lock()
	inFlight.exchanges[x] = struct{}{}
	inFlight.Unlock()
	if after := x.e.OpenAfter; after > 0 {
		x.life.timer = time.AfterFunc(after, x.open)
	}
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
	if x.life.timer != nil {
		x.life.timer.Stop()
	}
	inFlight.Lock()
	delete(inFlight.exchanges, x)
	inFlight.Unlock()
	if x.life.opened {
		x.e.Metrics.Open(-1)
	}
	x.e.Metrics.Outcome(string(rec.Outcome))
	x.emit(rec, x.reserved)
}

// CloseAll emits the last record of every request that has not ended, for the end of
// the process.
func CloseAll() {
	inFlight.Lock()
	var all []*exchange
	for x := range inFlight.exchanges {
		all = append(all, x)
	}
	inFlight.Unlock()
	var closing sync.WaitGroup
	for _, x := range all {
		closing.Go(func() { x.close(audit.Aborted) }) // a full queue makes it wait
	}
	closing.Wait()
}

// complete adds what became of the request. The lock of its life is held.
func (x *exchange) complete(rec *audit.Record, outcome audit.Outcome) {
	l := &x.life
	head := x.w.answered()
	answered := head // by the next handlers
	if l.upstream != nil {
		answered = *l.upstream
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
