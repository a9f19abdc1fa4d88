package otlptest

import (
	"encoding/hex"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is a span as it arrived, with its resource and instrumentation scope. Don't
// modify it: spans of a call share both.
type Span struct {
	*tracepb.Span
	Resource *resourcepb.Resource
	Scope    *commonpb.InstrumentationScope
}

// TraceID returns the id of the span's trace in hex.
func (s Span) TraceID() string { return hex.EncodeToString(s.GetTraceId()) }

// SpanID returns the span's id in hex.
func (s Span) SpanID() string { return hex.EncodeToString(s.GetSpanId()) }

// ParentID returns the id of the span's parent in hex, empty for a root span.
func (s Span) ParentID() string { return hex.EncodeToString(s.GetParentSpanId()) }

// LinkedTraceIDs returns the ids of the traces that the span links to, in hex.
func (s Span) LinkedTraceIDs() []string {
	var ids []string
	for _, link := range s.GetLinks() {
		ids = append(ids, hex.EncodeToString(link.GetTraceId()))
	}
	return ids
}

// Attrs returns the span's attributes; see [Value] for their types.
func (s Span) Attrs() map[string]any { return Map(s.GetAttributes()) }

// ResourceAttrs returns the attributes of the span's resource, such as service.name.
func (s Span) ResourceAttrs() map[string]any { return Map(s.Resource.GetAttributes()) }

// Log is a log record as it arrived, with its resource and instrumentation scope.
// Don't modify it: records of a call share both.
type Log struct {
	*logspb.LogRecord
	Resource *resourcepb.Resource
	Scope    *commonpb.InstrumentationScope
}

// TraceID returns the id of the record's trace in hex, empty if it has none.
func (l Log) TraceID() string { return hex.EncodeToString(l.GetTraceId()) }

// SpanID returns the id of the record's span in hex, empty if it has none.
func (l Log) SpanID() string { return hex.EncodeToString(l.GetSpanId()) }

// Attrs returns the record's attributes; see [Value] for their types.
func (l Log) Attrs() map[string]any { return Map(l.GetAttributes()) }

// ResourceAttrs returns the attributes of the record's resource, such as service.name.
func (l Log) ResourceAttrs() map[string]any { return Map(l.Resource.GetAttributes()) }

// Content returns the record's body; see [Value] for its type.
func (l Log) Content() any { return Value(l.GetBody()) }

// Map converts a list of attributes to a map. The last one with a key wins.
func Map(attributes []*commonpb.KeyValue) map[string]any {
	m := make(map[string]any, len(attributes))
	for _, a := range attributes {
		m[a.GetKey()] = Value(a.GetValue())
	}
	return m
}

// Value returns an attribute's value: a string, bool, int64, float64, []byte, []any,
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
