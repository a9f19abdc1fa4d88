package audit

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/buildinfo"
	"github.com/scopegate/scopegate/internal/judge"
)

// eventName is the name of every log record.
const eventName = "scopegate.decision"

// sdkLogs exports records as OpenTelemetry log records. They belong to the caller's
// span.
type sdkLogs struct {
	exporter   sdklog.Exporter
	logger     log.Logger
	emitted    *emittedRecord
	attributes attributes // reused
	batch      []sdklog.Record
}

func newSDKLogs(exporter sdklog.Exporter, about *resource.Resource) *sdkLogs {
	e := &sdkLogs{exporter: exporter, emitted: new(emittedRecord)}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(about),
		sdklog.WithProcessor(e.emitted),
		// Records are bounded already. A limit in the environment would truncate them.
		sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1),
		sdklog.WithAllowKeyDuplication(), // there are no duplicate keys, and looking for them costs most
	)
	e.logger = provider.Logger(scopeName, log.WithInstrumentationVersion(buildinfo.Version()))
	return e
}

func (e *sdkLogs) add(r *Record) { e.batch = append(e.batch, e.recordOf(r)) }

func (e *sdkLogs) recordOf(r *Record) sdklog.Record {
	e.attributes.set(r)
	var out log.Record
	out.SetEventName(eventName)
	out.SetTimestamp(r.Time)
	out.SetObservedTimestamp(r.Time.Add(r.Duration))
	severity := severityOf(r)
	out.SetSeverity(severity)
	out.SetSeverityText(severity.String())
	out.SetBody(attribute.StringValue(Message))
	out.AddAttributes(e.attributes...)
	e.logger.Emit(trace.ContextWithSpanContext(context.Background(), r.Caller.SpanContext()), out)
	return e.emitted.record
}

func (e *sdkLogs) export(ctx context.Context) error { return e.exporter.Export(ctx, e.batch) }

func (e *sdkLogs) reset() {
	clear(e.batch)
	e.batch = e.batch[:0]
}

func (e *sdkLogs) shutdown(ctx context.Context) error { return e.exporter.Shutdown(ctx) }

func severityOf(r *Record) log.Severity {
	switch {
	case r.Outcome.failed():
		return log.SeverityError
	case r.Decision == judge.Deny:
		return log.SeverityWarn
	}
	return log.SeverityInfo
}

// emittedRecord is a log processor that keeps the last record.
type emittedRecord struct{ record sdklog.Record }

func (*emittedRecord) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (e *emittedRecord) OnEmit(_ context.Context, record *sdklog.Record) error {
	e.record = record.Clone()
	return nil
}

func (*emittedRecord) Shutdown(context.Context) error { return nil }

func (*emittedRecord) ForceFlush(context.Context) error { return nil }
