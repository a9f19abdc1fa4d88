package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// otlpCarrier makes OTLP's own form of spans from records, into memory that it uses
// again for the next batch. That costs a quarter of making them with the SDK, which
// the exporter would only translate: the SDK's sampler and limits are what a record
// must not depend on, and the rest of it a finished record has no use for.
type otlpCarrier struct {
	client  otlptrace.Client
	request []*tracepb.ResourceSpans
	ids     spanIDs
	spans   arena[otlpSpan]
	values  arena[otlpValue]
}

// newOTLPClient returns the client that autoexport would choose for traces.
func newOTLPClient() (otlptrace.Client, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.NewClient(), nil
	case "grpc":
		return otlptracegrpc.NewClient(), nil
	}
	return nil, errors.New("the protocol must be http/protobuf or grpc")
}

func newOTLPCarrier(about *resource.Resource) (*otlpCarrier, error) {
	client, err := newOTLPClient()
	if err != nil {
		return nil, err
	}
	// It does not connect before there is something to send.
	if err := client.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("starting the exporter: %w", err)
	}
	of := new(resourcepb.Resource)
	for _, kv := range about.Attributes() {
		of.Attributes = append(of.Attributes, &commonpb.KeyValue{
			Key:   string(kv.Key),
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: kv.Value.Emit()}},
		})
	}
	scope := &commonpb.InstrumentationScope{Name: scopeName, Version: version()}
	return &otlpCarrier{
		client:  client,
		request: []*tracepb.ResourceSpans{{Resource: of, ScopeSpans: []*tracepb.ScopeSpans{{Scope: scope}}}},
	}, nil
}

// otlpSpan is a span with what it always holds.
type otlpSpan struct {
	span    tracepb.Span
	status  tracepb.Status
	link    tracepb.Span_Link
	links   [1]*tracepb.Span_Link
	traceID trace.TraceID
	spanID  trace.SpanID
	caller  Caller
}

// Flags of OTLP spans and links beside those of W3C: whether it is known if the
// context was remote, and if it was.
const flagsRemote = 0x100 | 0x200

func (c *otlpCarrier) convert(r *Record) *tracepb.Span {
	s := c.spans.next()
	c.ids.next = traceIDOf(r)
	s.traceID, s.spanID = c.ids.NewIDs(context.Background())
	out := &s.span
	out.TraceId, out.SpanId = s.traceID[:], s.spanID[:]
	out.Flags = uint32(trace.FlagsSampled)
	out.Name = spanName(r)
	out.Kind = tracepb.Span_SPAN_KIND_SERVER
	out.StartTimeUnixNano = uint64(max(0, r.Time.UnixNano()))
	out.EndTimeUnixNano = uint64(max(0, r.Time.Add(r.Duration).UnixNano()))
	out.Attributes = c.appendValues(out.Attributes[:0], r)

	s.status.Code, s.status.Message = tracepb.Status_STATUS_CODE_UNSET, ""
	if failed(r) {
		s.status.Code, s.status.Message = tracepb.Status_STATUS_CODE_ERROR, r.ErrorType()
	}
	out.Status = &s.status

	out.Links = nil
	if s.caller = r.Caller; s.caller.SpanContext().IsValid() {
		s.link.TraceId, s.link.SpanId = s.caller.TraceID[:], s.caller.SpanID[:]
		s.link.Flags = uint32(s.caller.Flags) | flagsRemote
		s.links[0] = &s.link
		out.Links = s.links[:]
	}
	return out
}

func (c *otlpCarrier) export(ctx context.Context, spans []*tracepb.Span) error {
	c.request[0].ScopeSpans[0].Spans = spans
	return c.client.UploadTraces(ctx, c.request)
}

func (c *otlpCarrier) reuse() {
	c.request[0].ScopeSpans[0].Spans = nil
	c.spans.used, c.values.used = 0, 0
}

func (c *otlpCarrier) shutdown(ctx context.Context) error { return c.client.Stop(ctx) }

// otlpValue is an attribute with room for a value of each kind.
type otlpValue struct {
	attribute commonpb.KeyValue
	any       commonpb.AnyValue
	text      commonpb.AnyValue_StringValue
	number    commonpb.AnyValue_IntValue
	fraction  commonpb.AnyValue_DoubleValue
	truth     commonpb.AnyValue_BoolValue
	array     commonpb.AnyValue_ArrayValue
	list      commonpb.ArrayValue
}

// appendValues appends what a record says as attributes.
func (c *otlpCarrier) appendValues(to []*commonpb.KeyValue, r *Record) []*commonpb.KeyValue {
	for i := range fields {
		f := &fields[i]
		if f.key == "" {
			continue
		}
		if v := f.value(r); v.present() {
			to = append(to, c.value(string(f.key), &v))
		}
	}
	return to
}

func (c *otlpCarrier) value(key string, v *value) *commonpb.KeyValue {
	out := c.values.next()
	out.attribute.Key, out.attribute.Value = key, &out.any
	switch v.kind {
	case numberKind:
		out.number.IntValue = v.number
		out.any.Value = &out.number
	case secondsKind:
		out.fraction.DoubleValue = v.seconds()
		out.any.Value = &out.fraction
	case truthKind:
		out.truth.BoolValue = v.number != 0
		out.any.Value = &out.truth
	case wordsKind:
		out.list.Values = out.list.Values[:0]
		for _, word := range *v.words {
			item := c.values.next()
			item.text.StringValue = word
			item.any.Value = &item.text
			out.list.Values = append(out.list.Values, &item.any)
		}
		out.array.ArrayValue = &out.list
		out.any.Value = &out.array
	default:
		out.text.StringValue = v.String()
		out.any.Value = &out.text
	}
	return &out.attribute
}

// arena hands out values that are all used again after a batch.
type arena[T any] struct {
	all  []*T
	used int
}

func (a *arena[T]) next() *T {
	if a.used == len(a.all) {
		a.all = append(a.all, new(T))
	}
	a.used++
	return a.all[a.used-1]
}
