package audit

import (
	"io"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// typicalRecord is a record as an ordinary allowed request makes it.
func typicalRecord() *Record {
	return &Record{
		Time: time.Now(), Method: "GET", Path: "/api/2.1/jobs/list", ClientAddress: "127.0.0.1",
		UserAgent: "databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat",
		TokenID:   "4bf92f3577b34da6a3ce929d0e0e47364bf92f3577b34da6a3ce929d0e0e4736",
		OwnerID:   4711, Creator: "etl@example.com", TokenScopes: []string{"clusters", "jobs"},
		FactsAge: 12 * time.Second, FactsSource: tokens.FromCache,
		Verdict: Allow, Enforced: true, Reason: policy.Permitted,
		Operation: &scopes.Operation{Name: "jobs.List", Template: "/api/2.1/jobs/list", AnyOf: []string{"jobs"}},
		Catalogue: "v0.175.0-abcdef", Status: 200, BytesSent: 1234,
		DecisionDuration: time.Microsecond, Duration: time.Millisecond,
	}
}

func discard() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel))
}

func BenchmarkLogLine(b *testing.B) {
	sink, record := NewLogSink(discard(), testLosses(b, SinkLog)), typicalRecord()
	b.ReportAllocs()
	for b.Loop() {
		sink.Write(record)
	}
}
