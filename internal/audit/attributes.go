package audit

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// attributes are those of a record for OpenTelemetry's SDK.
type attributes []attribute.KeyValue

// set replaces the attributes by those of a record.
func (a *attributes) set(r *Record) {
	*a = (*a)[:0]
	encodeAttributes(r, a)
}

func (a *attributes) text(f *field, text string)        { *a = append(*a, f.key.String(text)) }
func (a *attributes) words(f *field, words *[]string)   { *a = append(*a, f.key.StringSlice(*words)) }
func (a *attributes) number(f *field, number int64)     { *a = append(*a, f.key.Int64(number)) }
func (a *attributes) seconds(f *field, d time.Duration) { *a = append(*a, f.key.Float64(d.Seconds())) }
func (a *attributes) truth(f *field, truth bool)        { *a = append(*a, f.key.Bool(truth)) }

// DecisionAttributes returns the attributes of a record that are about the decision,
// for a span in the caller's trace. The record need not be complete.
func DecisionAttributes(r *Record) []attribute.KeyValue {
	var all attributes
	all.set(r)
	var decision []attribute.KeyValue
	for _, kv := range all {
		switch key := string(kv.Key); {
		case strings.HasPrefix(key, "databricks.scope."), strings.HasPrefix(key, "databricks.token."),
			kv.Key == semconv.ErrorTypeKey, kv.Key == semconv.HTTPRouteKey, kv.Key == semconv.SecurityRuleNameKey:
			decision = append(decision, kv)
		}
	}
	return decision
}
