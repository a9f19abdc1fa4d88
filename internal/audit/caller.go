package audit

import (
	"encoding/hex"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// Caller is the span that a request belongs to: that of Caddy's tracing directive, or
// otherwise the one that the client sent. Only these numbers of a client's trace context
// are kept, never its tracestate or baggage.
type Caller struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
	Flags   trace.TraceFlags
}

// SpanContext returns the caller in OpenTelemetry's form.
func (c Caller) SpanContext() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: c.TraceID, SpanID: c.SpanID, TraceFlags: c.Flags, Remote: true})
}

// CallerOf returns the caller of a request: the span of Caddy's tracing directive if
// there is one, otherwise what a single traceparent header says. It is zero without
// both.
func CallerOf(r *http.Request, span trace.Span) Caller {
	if own := span.SpanContext(); own.HasTraceID() {
		return Caller{TraceID: own.TraceID(), SpanID: own.SpanID(), Flags: own.TraceFlags()}
	}
	if values := r.Header["Traceparent"]; len(values) == 1 {
		return parseTraceparent(values[0])
	}
	return Caller{}
}

// parseTraceparent parses a header of W3C Trace Context, version 0 or what later
// versions have in common with it. It returns zero for anything else.
func parseTraceparent(s string) Caller {
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Caller{}
	}
	version, err := hex.DecodeString(s[:2])
	if err != nil || version[0] == 0xff || version[0] == 0 && len(s) != length || len(s) > length && s[length] != '-' {
		return Caller{}
	}
	traceID, err := trace.TraceIDFromHex(s[3:35])
	if err != nil {
		return Caller{}
	}
	spanID, err := trace.SpanIDFromHex(s[36:52])
	if err != nil {
		return Caller{}
	}
	flags, err := hex.DecodeString(s[53:length])
	if err != nil {
		return Caller{}
	}
	return Caller{TraceID: traceID, SpanID: spanID, Flags: trace.TraceFlags(flags[0])}
}
