package otlptest

import (
	"encoding/hex"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is a span as it arrived, with what it shares with others of its call. It is
// not to be changed.
type Span struct {
	*tracepb.Span
	Resource *resourcepb.Resource
	Scope    *commonpb.InstrumentationScope
}

// TraceID is the id of the span's trace in hex.
func (s Span) TraceID() string { return hex.EncodeToString(s.GetTraceId()) }

// SpanID is the span's id in hex.
func (s Span) SpanID() string { return hex.EncodeToString(s.GetSpanId()) }

// ParentID is the id of the span's parent in hex, empty for a root.
func (s Span) ParentID() string { return hex.EncodeToString(s.GetParentSpanId()) }

// LinkedTraceIDs are the ids of the traces that the span links to, in hex.
func (s Span) LinkedTraceIDs() []string {
	var ids []string
	for _, link := range s.GetLinks() {
		ids = append(ids, hex.EncodeToString(link.GetTraceId()))
	}
	return ids
}

// Attrs are the span's attributes; see [Value] for their types.
func (s Span) Attrs() map[string]any { return Map(s.GetAttributes()) }

// ResourceAttrs are the attributes of the span's resource, such as service.name.
func (s Span) ResourceAttrs() map[string]any { return Map(s.Resource.GetAttributes()) }

// Log is a log record as it arrived, with what it shares with others of its call. It
// is not to be changed.
type Log struct {
	*logspb.LogRecord
	Resource *resourcepb.Resource
	Scope    *commonpb.InstrumentationScope
}

// TraceID is the id of the trace that the record names in hex, empty if none.
func (l Log) TraceID() string { return hex.EncodeToString(l.GetTraceId()) }

// SpanID is the id of the span that the record names in hex, empty if none.
func (l Log) SpanID() string { return hex.EncodeToString(l.GetSpanId()) }

// Attrs are the record's attributes; see [Value] for their types.
func (l Log) Attrs() map[string]any { return Map(l.GetAttributes()) }

// ResourceAttrs are the attributes of the record's resource, such as service.name.
func (l Log) ResourceAttrs() map[string]any { return Map(l.Resource.GetAttributes()) }

// Content is the record's body; see [Value] for its type.
func (l Log) Content() any { return Value(l.GetBody()) }

// Map is a list of attributes as a map. Of two with the same key the later counts.
func Map(attributes []*commonpb.KeyValue) map[string]any {
	m := make(map[string]any, len(attributes))
	for _, a := range attributes {
		m[a.GetKey()] = Value(a.GetValue())
	}
	return m
}

// Value is an attribute's value: a string, bool, int64, float64, []byte, []any,
// map[string]any or nil.
func Value(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		items := make([]any, len(v.ArrayValue.GetValues()))
		for i, item := range v.ArrayValue.GetValues() {
			items[i] = Value(item)
		}
		return items
	case *commonpb.AnyValue_KvlistValue:
		return Map(v.KvlistValue.GetValues())
	}
	return nil
}
