package audit

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/judge"
)

// eventName is that of the log records.
const eventName = "scopegate.decision"

// logCarrier makes OpenTelemetry log records of records. They belong to the
// caller's span.
type logCarrier struct {
	exporter   sdklog.Exporter
	logger     log.Logger
	emitted    *emittedRecord
	attributes []attribute.KeyValue // reused
}

func newLogCarrier(exporter sdklog.Exporter, about *resource.Resource) *logCarrier {
	c := &logCarrier{exporter: exporter, emitted: new(emittedRecord)}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(about),
		sdklog.WithProcessor(c.emitted),
		// Records bound themselves; a limit in the environment would cut them.
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
		sdklog.WithAllowKeyDuplication(), // there is none; looking for it costs most of all
	)
	c.logger = provider.Logger(scopeName, log.WithInstrumentationVersion(version()))
	return c
}

func (c *logCarrier) convert(r *Record) sdklog.Record {
	c.attributes = appendAttributes(c.attributes[:0], r)
	var out log.Record
	out.SetEventName(eventName)
	out.SetTimestamp(r.Time)
	out.SetObservedTimestamp(r.Time.Add(r.Duration))
	severity := severityOf(r)
	out.SetSeverity(severity)
	out.SetSeverityText(severity.String())
	out.SetBody(attribute.StringValue(Message))
	out.AddAttributes(c.attributes...)
	c.logger.Emit(trace.ContextWithSpanContext(context.Background(), r.Caller.SpanContext()), out)
	return c.emitted.record
}

func (c *logCarrier) export(ctx context.Context, records []sdklog.Record) error {
	return c.exporter.Export(ctx, records)
}

func (c *logCarrier) reuse() {}

func (c *logCarrier) shutdown(ctx context.Context) error { return c.exporter.Shutdown(ctx) }

func severityOf(r *Record) log.Severity {
	switch {
	case r.Outcome != Answered:
		return log.SeverityError
	case r.Decision == judge.Deny:
		return log.SeverityWarn
	}
	return log.SeverityInfo
}

// emittedRecord is a log processor that keeps the record which was emitted last.
type emittedRecord struct{ record sdklog.Record }

func (*emittedRecord) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (e *emittedRecord) OnEmit(_ context.Context, record *sdklog.Record) error {
	e.record = record.Clone()
	return nil
}

func (*emittedRecord) Shutdown(context.Context) error { return nil }

func (*emittedRecord) ForceFlush(context.Context) error { return nil }
