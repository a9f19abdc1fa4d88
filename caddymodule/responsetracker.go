package caddymodule

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/audit"
)

// responseTracker stands between this handler and the next ones: it notes when the
// answer began, and counts what was read of the request.
type responseTracker struct {
	caddyhttp.ResponseWriterWrapper
	response caddyhttp.ResponseRecorder // what the next handlers answer to
	now      func() time.Time
	answered time.Time // when the header of the answer was written; zero before

	body io.ReadCloser
	read atomic.Int64 // the proxy may go on reading after it has answered
}

func newResponseTracker(w http.ResponseWriter, now func() time.Time) *responseTracker {
	t := &responseTracker{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, now: now}
	t.response = caddyhttp.NewResponseRecorder(t, nil, nil)
	return t
}

// describe adds what the next handlers answered.
func (t *responseTracker) describe(rec *audit.Record) {
	rec.UpstreamStatus = t.response.Status()
	if !t.answered.IsZero() {
		rec.UpstreamDuration = t.answered.Sub(rec.Time) - rec.DecisionDuration
		rec.RequestID = audit.SafeRequestID(t.response.Header().Get("X-Request-Id"))
	}
}

// WriteHeader implements http.ResponseWriter.
func (t *responseTracker) WriteHeader(status int) {
	if t.answered.IsZero() && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		t.answered = t.now()
	}
	t.ResponseWriter.WriteHeader(status)
}

// watchBody counts what is read of the request's body from now on.
func (t *responseTracker) watchBody(r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		t.body = r.Body
		r.Body = (*trackedBody)(t)
	}
}

// trackedBody is the request body that a tracker counts.
type trackedBody responseTracker

func (b *trackedBody) Read(to []byte) (int, error) {
	n, err := b.body.Read(to)
	b.read.Add(int64(n))
	return n, err
}

func (b *trackedBody) Close() error { return b.body.Close() }
