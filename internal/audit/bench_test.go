package audit

import (
	"context"
	"io"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"google.golang.org/protobuf/proto"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// typicalRecord returns the record of an ordinary allowed request.
func typicalRecord() *Record {
	return &Record{
		Time: time.Now(), Method: "GET", Path: "/api/2.1/jobs/list", ClientAddress: "127.0.0.1",
		UserAgent: "databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat",
		TokenID:   "4bf92f3577b34da6a3ce929d0e0e47364bf92f3577b34da6a3ce929d0e0e4736",
		Judgement: judge.Judgement{
			Facts: tokens.Facts{Info: &tokens.Info{Owner: tokens.NewPrincipal(4711, "")}, Source: tokens.FromCache}, FactsAge: 12 * time.Second, Held: []string{"clusters", "jobs"},
			Decision: judge.Allow, Enforced: true, Reason: policy.Permitted,
			Operation: &scopes.Operation{Name: "jobs.List", Template: "/api/2.1/jobs/list", AnyOf: []string{"jobs"}},
		},
		Creator: "etl@example.com", Outcome: Answered,
		Catalog: "0123456789ab", Rules: "ba9876543210", Workspace: "dbc-a1b2345c-d6e7.cloud.databricks.com", Comment: "sha256:d7fdb5293230158b",
		Status: 200, UpstreamStatus: 200, UpstreamDuration: 900 * time.Microsecond, BytesSent: 1234,
		DecisionDuration: time.Microsecond, Duration: time.Millisecond,
	}
}

func discard() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel))
}

func BenchmarkLogLine(b *testing.B) {
	logger, record := NewLogger(discard(), lossesOf(SinkLog, new(told))), typicalRecord()
	b.ReportAllocs()
	for b.Loop() {
		logger.Write(record)
	}
}

// BenchmarkOutputLine is the work of the goroutine that writes lines to an output.
func BenchmarkOutputLine(b *testing.B) {
	record := typicalRecord()
	var lines jsonLines
	b.ReportAllocs()
	for b.Loop() {
		lines.bytes = lines.bytes[:0]
		lines.add(record)
	}
	b.ReportMetric(float64(len(lines.bytes)), "bytes/line")
}

// BenchmarkPut is what a request pays for OpenTelemetry: room in a queue that is being
// emptied.
func BenchmarkPut(b *testing.B) {
	s := newSink(nowhere{}, lossesOf(SinkTraces, new(told)), Settings{Queue: 2048, WhenFull: Drop}, 512, pace{delay: time.Second, export: time.Second})
	defer s.close()
	record := typicalRecord()
	b.ReportAllocs()
	for b.Loop() {
		s.put(record, false)
	}
}

// BenchmarkPutContended is BenchmarkPut with requests on every processor.
func BenchmarkPutContended(b *testing.B) {
	s := newSink(nowhere{}, lossesOf(SinkTraces, new(told)), Settings{Queue: 2048, WhenFull: Drop}, 512, pace{delay: time.Second, export: time.Second})
	defer s.close()
	record := typicalRecord()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.put(record, false)
		}
	})
}

// nowhere is an exporter for benchmarks of what comes before it.
type nowhere struct{}

func (nowhere) add(*Record)                    {}
func (nowhere) export(context.Context) error   { return nil }
func (nowhere) reset()                         {}
func (nowhere) shutdown(context.Context) error { return nil }

// BenchmarkOTLPSpan is the work of the goroutine that sends spans, up to the bytes
// on the wire.
func BenchmarkOTLPSpan(b *testing.B) {
	wire := new(wire)
	exporter := newOTLPSpans(wire, describe())
	exportBatches(b, exporter)
	b.ReportMetric(float64(wire.bytes)/512, "bytes/span")
}

// BenchmarkSDKSpan is BenchmarkOTLPSpan with the SDK and its exporter, as for exporters
// other than OTLP's.
func BenchmarkSDKSpan(b *testing.B) {
	exporter, err := otlptrace.New(context.Background(), new(wire))
	if err != nil {
		b.Fatal(err)
	}
	exportBatches(b, newSDKSpans(exporter, describe()))
}

func exportBatches(b *testing.B, e exporter) {
	b.Helper()
	record, added := typicalRecord(), 0
	b.ReportAllocs()
	for b.Loop() {
		e.add(record)
		if added++; added == 512 {
			if err := e.export(context.Background()); err != nil {
				b.Fatal(err)
			}
			e.reset()
			added = 0
		}
	}
}

// wire is a client that encodes and does not send.
type wire struct{ bytes int }

func (*wire) Start(context.Context) error { return nil }
func (*wire) Stop(context.Context) error  { return nil }

func (w *wire) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	encoded, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: spans})
	w.bytes = len(encoded)
	return err
}

// BenchmarkLogRecord makes log records.
func BenchmarkLogRecord(b *testing.B) {
	e, record := newSDKLogs(noLogs{}, describe()), typicalRecord()
	b.ReportAllocs()
	for b.Loop() {
		e.recordOf(record)
	}
}

type noLogs struct{ sdklog.Exporter }
