package caddymodule

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/audit"
)

// passage is what a request and its answer pass through between this handler and
// the next ones: it notes when the answer began, and counts what was read.
type passage struct {
	caddyhttp.ResponseWriterWrapper
	response caddyhttp.ResponseRecorder // what the next handlers answer to
	now      func() time.Time
	answered time.Time // when the header of the answer was written; zero before

	body io.ReadCloser
	read atomic.Int64 // the proxy may go on reading after it has answered
}

func newPassage(w http.ResponseWriter, now func() time.Time) *passage {
	p := &passage{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, now: now}
	p.response = caddyhttp.NewResponseRecorder(p, nil, nil)
	return p
}

// describe adds what the next handlers answered.
func (p *passage) describe(rec *audit.Record) {
	rec.UpstreamStatus = p.response.Status()
	if !p.answered.IsZero() {
		rec.UpstreamDuration = p.answered.Sub(rec.Time) - rec.DecisionDuration
		rec.RequestID = audit.SafeRequestID(p.response.Header().Get("X-Request-Id"))
	}
}

// WriteHeader implements http.ResponseWriter.
func (p *passage) WriteHeader(status int) {
	if p.answered.IsZero() && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		p.answered = p.now()
	}
	p.ResponseWriter.WriteHeader(status)
}

// watchBody counts what is read of the request's body from now on.
func (p *passage) watchBody(r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		p.body = r.Body
		r.Body = (*passageBody)(p)
	}
}

// passageBody is the side of a passage that is read.
type passageBody passage

func (b *passageBody) Read(to []byte) (int, error) {
	n, err := b.body.Read(to)
	b.read.Add(int64(n))
	return n, err
}

func (b *passageBody) Close() error { return b.body.Close() }
