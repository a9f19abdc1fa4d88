package audit

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// spanCarrier makes spans of records for exporters other than OTLP's. They come from
// a provider of its own: neither the caller's sampling flag nor a sampler in the
// environment leaves any out, and every span is the root of its own trace, with a
// link to the caller's.
type spanCarrier struct {
	exporter   sdktrace.SpanExporter
	tracer     trace.Tracer
	ids        *spanIDs
	ended      *endedSpan
	attributes []attribute.KeyValue // reused
}

func newSpanCarrier(exporter sdktrace.SpanExporter, about *resource.Resource) *spanCarrier {
	c := &spanCarrier{exporter: exporter, ids: new(spanIDs), ended: new(endedSpan)}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(about),
		sdktrace.WithIDGenerator(c.ids),
		sdktrace.WithSpanProcessor(c.ended),
		// Records bound themselves; a limit in the environment would cut them.
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit:   -1,
			AttributeCountLimit:         -1,
			EventCountLimit:             -1,
			LinkCountLimit:              -1,
			AttributePerEventCountLimit: -1,
			AttributePerLinkCountLimit:  -1,
		}),
	)
	c.tracer = provider.Tracer(scopeName, trace.WithInstrumentationVersion(version()))
	return c
}

func (c *spanCarrier) convert(r *Record) sdktrace.ReadOnlySpan {
	c.ids.next = traceIDOf(r)
	c.attributes = appendAttributes(c.attributes[:0], r)
	options := []trace.SpanStartOption{
		trace.WithNewRoot(),
		trace.WithTimestamp(r.Time),
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(c.attributes...),
	}
	if caller := r.Caller.SpanContext(); caller.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: caller}))
	}
	_, span := c.tracer.Start(context.Background(), spanName(r), options...)
	if failed(r) {
		span.SetStatus(codes.Error, r.ErrorType())
	}
	span.End(trace.WithTimestamp(r.Time.Add(r.Duration)))
	return c.ended.span
}

func (c *spanCarrier) export(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return c.exporter.ExportSpans(ctx, spans)
}

func (c *spanCarrier) reuse() {}

func (c *spanCarrier) shutdown(ctx context.Context) error { return c.exporter.Shutdown(ctx) }

// failed reports whether the span of a record has the status Error. As the
// conventions have it for servers, 4xx is not one.
func failed(r *Record) bool {
	return r.Status >= http.StatusInternalServerError || r.Outcome == Panicked || r.Outcome == Aborted
}

// spanName is the method and the route, of which there is a bounded number.
func spanName(r *Record) string {
	method, template := spanNameOf(r)
	if template == "" {
		return method
	}
	return method + " " + template
}

func spanNameOf(r *Record) (method, template string) {
	method = r.Method
	if !slices.Contains(knownMethods, method) {
		method = "HTTP"
	}
	return method, operation(r).Template
}

// traceIDOf returns the id of the trace of a record's span: for a refusal it is the
// request id that the client was shown, so that the one leads to the other. It is
// zero for all others; the id of an answer of the workspace's is not ours to rely on.
func traceIDOf(r *Record) trace.TraceID {
	if !r.Refused() {
		return trace.TraceID{}
	}
	id, err := uuid.Parse(r.RequestID)
	if err != nil {
		return trace.TraceID{}
	}
	return trace.TraceID(id)
}

// spanIDs implements [sdktrace.IDGenerator].
type spanIDs struct{ next trace.TraceID }

func (s *spanIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	traceID := s.next
	for !traceID.IsValid() {
		randomBytes(traceID[:])
	}
	return traceID, s.NewSpanID(ctx, traceID)
}

func (s *spanIDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
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

// endedSpan is a span processor that keeps the span which ended last.
type endedSpan struct{ span sdktrace.ReadOnlySpan }

func (*endedSpan) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (e *endedSpan) OnEnd(span sdktrace.ReadOnlySpan) { e.span = span }

func (*endedSpan) Shutdown(context.Context) error { return nil }

func (*endedSpan) ForceFlush(context.Context) error { return nil }
