package otlptest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

var (
	traceID  = trace.TraceID{1, 2, 3}
	callerID = trace.TraceID{4, 5, 6}
	spanID   = trace.SpanID{7, 8}

	spanContext = trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
	service     = resource.NewSchemaless(attribute.String("service.name", "gateway"))
)

// exporter sends n spans or log records with one of the real exporters. It makes one
// attempt, with a timeout of two seconds.
type exporter struct {
	name     string
	protocol otlptest.Protocol
	send     func(t *testing.T, ctx context.Context, n int) error
	count    func(*otlptest.Receiver) int
	wait     func(r *otlptest.Receiver, t testing.TB, n int)
}

const attemptLimit = 2 * time.Second

// exporters lists the real exporters, configured by the environment except for what
// keeps tests short.
func exporters() []exporter {
	countSpans := func(r *otlptest.Receiver) int { n, _ := r.Counts(); return n }
	countLogs := func(r *otlptest.Receiver) int { _, n := r.Counts(); return n }
	waitSpans := func(r *otlptest.Receiver, t testing.TB, n int) { t.Helper(); r.WaitSpans(t, n) }
	waitLogs := func(r *otlptest.Receiver, t testing.TB, n int) { t.Helper(); r.WaitLogs(t, n) }
	return []exporter{
		{"traces over HTTP", otlptest.HTTP, func(t *testing.T, ctx context.Context, n int) error {
			e, err := otlptracehttp.New(ctx, otlptracehttp.WithTimeout(attemptLimit), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
			return sendSpans(t, ctx, e, err, n)
		}, countSpans, waitSpans},
		{"traces over gRPC", otlptest.GRPC, func(t *testing.T, ctx context.Context, n int) error {
			e, err := otlptracegrpc.New(ctx, otlptracegrpc.WithTimeout(attemptLimit), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}))
			return sendSpans(t, ctx, e, err, n)
		}, countSpans, waitSpans},
		{"logs over HTTP", otlptest.HTTP, func(t *testing.T, ctx context.Context, n int) error {
			e, err := otlploghttp.New(ctx, otlploghttp.WithTimeout(attemptLimit), otlploghttp.WithRetry(otlploghttp.RetryConfig{}))
			return sendLogs(t, ctx, e, err, n)
		}, countLogs, waitLogs},
		{"logs over gRPC", otlptest.GRPC, func(t *testing.T, ctx context.Context, n int) error {
			e, err := otlploggrpc.New(ctx, otlploggrpc.WithTimeout(attemptLimit), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}))
			return sendLogs(t, ctx, e, err, n)
		}, countLogs, waitLogs},
	}
}

// each runs a test once per exporter, each time with a new receiver.
func each(t *testing.T, test func(t *testing.T, r *otlptest.Receiver, e exporter)) {
	for _, e := range exporters() {
		t.Run(e.name, func(t *testing.T) {
			r := otlptest.Start(t, e.protocol)
			r.Setenv(t)
			test(t, r, e)
		})
	}
}

// attributes covers every attribute type.
var attributes = []attribute.KeyValue{
	attribute.String("s", "jobs.List"), attribute.Bool("b", true), attribute.Int("i", 403), attribute.Float64("f", .5),
	attribute.StringSlice("l", []string{"jobs", "sql"}), attribute.Map("m", attribute.ByteSlice("x", []byte("y"))),
}

func sendSpans(t *testing.T, ctx context.Context, e sdktrace.SpanExporter, err error, n int) error {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	stubs := make(tracetest.SpanStubs, n)
	for i := range stubs {
		stubs[i] = tracetest.SpanStub{
			Name:                 fmt.Sprint("decision ", i),
			SpanContext:          spanContext,
			Links:                []sdktrace.Link{{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: callerID, SpanID: spanID})}},
			Attributes:           attributes,
			Resource:             service,
			InstrumentationScope: instrumentation.Scope{Name: "audit"},
		}
	}
	return e.ExportSpans(ctx, stubs.Snapshots())
}

func sendLogs(t *testing.T, ctx context.Context, e sdklog.Exporter, err error, n int) error {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	var all collected
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(service), sdklog.WithProcessor(&all))
	logger := provider.Logger("audit")
	for i := range n {
		var record log.Record
		record.SetBody(attribute.StringValue(fmt.Sprint("decision ", i)))
		record.AddAttributes(attributes...)
		logger.Emit(trace.ContextWithSpanContext(ctx, spanContext), record)
	}
	return e.Export(ctx, all)
}

// collected returns log records as the SDK hands them to exporters.
type collected []sdklog.Record

func (c *collected) OnEmit(_ context.Context, record *sdklog.Record) error {
	*c = append(*c, record.Clone())
	return nil
}

func (*collected) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*collected) Shutdown(context.Context) error                         { return nil }
func (*collected) ForceFlush(context.Context) error                       { return nil }

// patientExporter retries without a pause, for ten seconds.
func patientExporter(ctx context.Context, protocol otlptest.Protocol) (sdktrace.SpanExporter, error) {
	const wait, limit = time.Millisecond, 10 * time.Second
	if protocol == otlptest.GRPC {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
			Enabled: true, InitialInterval: wait, MaxInterval: wait, MaxElapsedTime: limit,
		}))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
		Enabled: true, InitialInterval: wait, MaxInterval: wait, MaxElapsedTime: limit,
	}))
}
