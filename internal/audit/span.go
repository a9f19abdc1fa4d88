package audit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// spanKind is the kind of every span. OTLP uses the same numbers.
const spanKind = trace.SpanKindServer

// span is what the span of a record says apart from its attributes, for all exporters.
// It is the root of its own trace: neither the caller's sampling flag nor a sampler in
// the environment can leave it out.
type span struct {
	traceID    trace.TraceID
	spanID     trace.SpanID
	method     string // of the name
	template   string // of the name, may be empty
	start, end time.Time
	link       trace.SpanContext // the caller's span; invalid if there is none
	failed     bool              // the status is Error, with problem as its description
	problem    string
}

// spanOf returns the span of a record, with new ids.
func spanOf(r *Record) span {
	s := span{
		traceID:  traceIDOf(r),
		spanID:   newSpanID(),
		method:   r.Method,
		template: safeText(operation(r).Template),
		start:    r.Time,
		end:      r.Time.Add(r.Duration),
		link:     r.Caller.SpanContext(),
		// For servers the conventions do not count 4xx as errors.
		failed:  r.Status >= http.StatusInternalServerError || r.Outcome.failed(),
		problem: r.ErrorType(),
	}
	if !isKnownMethod(s.method) {
		s.method = "HTTP"
	}
	return s
}

// name is the method and the route. There is a bounded number of both.
func (s *span) name() string {
	if s.template == "" {
		return s.method
	}
	return s.method + " " + s.template
}

// traceIDOf returns the trace id of a record's span. For a refusal it is the request id
// that the client was shown, so that one leads to the other. All others are random; the
// id of a response from the workspace is not ours to rely on.
func traceIDOf(r *Record) trace.TraceID {
	if id, ok := refusalID(r); ok {
		return id
	}
	return newTraceID()
}

func refusalID(r *Record) (trace.TraceID, bool) {
	if !r.Refused() {
		return trace.TraceID{}, false
	}
	id, err := uuid.Parse(r.RequestID)
	return trace.TraceID(id), err == nil && trace.TraceID(id).IsValid()
}

func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		randomBytes(id[:])
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		randomBytes(id[:])
	}
	return id
}

func randomBytes(b []byte) {
	for ; len(b) > 0; b = b[8:] {
		binary.LittleEndian.PutUint64(b, rand.Uint64())
	}
}
