package audit

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

// sdkSpans exports records as spans of the SDK, to any exporter but OTLP's. Its
// provider is not the one of the process, whose sampler and limits must not apply.
type sdkSpans struct {
	exporter   sdktrace.SpanExporter
	tracer     trace.Tracer
	ids        *givenIDs
	ended      *endedSpan
	attributes attributes // reused
	batch      []sdktrace.ReadOnlySpan
}

func newSDKSpans(exporter sdktrace.SpanExporter, about *resource.Resource) *sdkSpans {
	e := &sdkSpans{exporter: exporter, ids: new(givenIDs), ended: new(endedSpan)}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(about),
		sdktrace.WithIDGenerator(e.ids),
		sdktrace.WithSpanProcessor(e.ended),
		// Records are bounded already. A limit in the environment would truncate them.
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit:   -1,
			AttributeCountLimit:         -1,
			EventCountLimit:             -1,
			LinkCountLimit:              -1,
			AttributePerEventCountLimit: -1,
			AttributePerLinkCountLimit:  -1,
		}),
	)
	e.tracer = provider.Tracer(scopeName, trace.WithInstrumentationVersion(buildinfo.Version()))
	return e
}

func (e *sdkSpans) add(r *Record) { e.batch = append(e.batch, e.spanOf(r)) }

func (e *sdkSpans) spanOf(r *Record) sdktrace.ReadOnlySpan {
	s := spanOf(r)
	e.ids.next = &s
	e.attributes.set(r)
	options := []trace.SpanStartOption{
		trace.WithNewRoot(),
		trace.WithTimestamp(s.start),
		trace.WithSpanKind(spanKind),
		trace.WithAttributes(e.attributes...),
	}
	if s.link.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: s.link}))
	}
	_, started := e.tracer.Start(context.Background(), s.name(), options...)
	if s.failed {
		started.SetStatus(codes.Error, s.problem)
	}
	started.End(trace.WithTimestamp(s.end))
	return e.ended.span
}

func (e *sdkSpans) export(ctx context.Context) error { return e.exporter.ExportSpans(ctx, e.batch) }

func (e *sdkSpans) reset() {
	clear(e.batch)
	e.batch = e.batch[:0]
}

func (e *sdkSpans) shutdown(ctx context.Context) error { return e.exporter.Shutdown(ctx) }

// givenIDs makes the SDK use the ids of a span. It implements
// [sdktrace.IDGenerator].
type givenIDs struct{ next *span }

func (g *givenIDs) NewIDs(context.Context) (trace.TraceID, trace.SpanID) {
	return g.next.traceID, g.next.spanID
}

func (g *givenIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return g.next.spanID }

// endedSpan is a span processor that keeps the span which ended last.
type endedSpan struct{ span sdktrace.ReadOnlySpan }

func (*endedSpan) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (e *endedSpan) OnEnd(span sdktrace.ReadOnlySpan) { e.span = span }

func (*endedSpan) Shutdown(context.Context) error { return nil }

func (*endedSpan) ForceFlush(context.Context) error { return nil }
