package audit

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
	"github.com/scopegate/scopegate/scopes"
)

// quiet removes OpenTelemetry's variables from the environment, and sets those that a
// test gives.
func quiet(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME",
		"OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY",
	} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil { // the test's end restores it
			t.Fatal(err)
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func startTelemetry(t *testing.T, settings Settings, o *told) *Sinks {
	t.Helper()
	telemetry, err := NewTelemetry(settings, o, o)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry
}

// callerTrace is the trace of a caller that asked not to be sampled.
const callerTrace = "0af7651916cd43dd8448eb211c80319c"

func deniedRecord() *Record {
	r := typicalRecord()
	r.Decision, r.Reason, r.Status = judge.Deny, policy.MissingScope, http.StatusForbidden
	r.Operation = &scopes.Operation{Name: "sql.Warehouses.List", Template: "/api/2.0/sql/warehouses", AnyOf: []string{"sql"}}
	r.RequestID = "6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11"
	r.Caller.TraceID, _ = trace.TraceIDFromHex(callerTrace)
	r.Caller.SpanID, _ = trace.SpanIDFromHex("b7ad6b7169203331")
	return r
}

// TestRecordsArrive sends records through the real exporters and reads them from the
// wire, in an environment in which other spans would disappear.
func TestRecordsArrive(t *testing.T) {
	for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			receiver := otlptest.Start(t, protocol)
			quiet(t, map[string]string{
				"OTEL_LOGS_EXPORTER":                   "otlp",
				"OTEL_TRACES_SAMPLER":                  "always_off",
				"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":      "1",
				"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":    "1",
				"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "1",
				"OTEL_RESOURCE_ATTRIBUTES":             "deployment.environment.name=test",
				"OTEL_EXPORTER_OTLP_HEADERS":           "x-key=value",
			})
			receiver.Setenv(t)
			telemetry := startTelemetry(t, Settings{WhenFull: Drop}, new(told))
			denied, allowed, failed := deniedRecord(), typicalRecord(), typicalRecord()
			failed.Status, failed.Outcome, failed.Method = http.StatusBadGateway, Failed, "FROB"
			for _, r := range []*Record{denied, allowed, failed} {
				telemetry.Put(r, false)
			}
			telemetry.Close()

			spans, logs := receiver.WaitSpans(t, 3), receiver.WaitLogs(t, 3)
			if len(spans) != 3 || len(logs) != 3 {
				t.Fatalf("%d spans and %d log records", len(spans), len(logs))
			}
			span, log := spans[0], logs[0]
			want := map[string]any{
				"http.request.method": "GET", "http.route": "/api/2.0/sql/warehouses", "http.response.status_code": int64(403),
				"error.type": "missing_scope", "databricks.scope.reason": "missing_scope", "databricks.scope.decision": "deny", "databricks.scope.enforced": true,
				"databricks.scope.operation": "sql.Warehouses.List", "databricks.scope.required": []any{"sql"},
				"databricks.token.id": denied.TokenID, "databricks.token.scopes": []any{"clusters", "jobs"}, "databricks.token.facts_age": 12.0,
				"user.id": "4711", "client.address": "127.0.0.1", "url.path": "/api/2.1/jobs/list", "databricks.request.id": denied.RequestID,
			}
			for where, attributes := range map[string]map[string]any{"span": span.Attrs(), "log record": log.Attrs()} {
				for key, value := range want {
					if got, ok := attributes[key].([]any); ok && slices.Equal(got, value.([]any)) {
						continue
					}
					if got := attributes[key]; got != value {
						t.Errorf("%s: %s is %v, want %v", where, key, got, value)
					}
				}
			}
			if !maps.Equal(strip(span.Attrs()), strip(log.Attrs())) {
				t.Errorf("the span says\n%v, the log record\n%v", span.Attrs(), log.Attrs())
			}
			if span.GetName() != "GET /api/2.0/sql/warehouses" || span.ParentID() != "" || span.GetStatus().GetCode() != 0 {
				t.Errorf("span %q, parent %q, status %v", span.GetName(), span.ParentID(), span.GetStatus())
			}
			if got := span.LinkedTraceIDs(); !slices.Equal(got, []string{callerTrace}) {
				t.Errorf("links %q", got)
			}
			if want := strings.ReplaceAll(denied.RequestID, "-", ""); span.TraceID() != want {
				t.Errorf("trace %s is not the client's request id %s", span.TraceID(), want)
			}
			if took := time.Duration(span.GetEndTimeUnixNano() - span.GetStartTimeUnixNano()); took != denied.Duration {
				t.Errorf("the span lasts %s", took)
			}
			if log.TraceID() != callerTrace || log.Content() != Message || log.GetEventName() != eventName || log.GetSeverityText() != "WARN" {
				t.Errorf("log record: trace %s, %v %s %s", log.TraceID(), log.Content(), log.GetEventName(), log.GetSeverityText())
			}
			for _, about := range []map[string]any{span.ResourceAttrs(), log.ResourceAttrs()} {
				if about["service.name"] != serviceName || about["deployment.environment.name"] != "test" {
					t.Errorf("resource %v", about)
				}
			}
			if _, ok := spans[1].Attrs()["error.type"]; ok || spans[1].TraceID() == span.TraceID() || len(spans[1].LinkedTraceIDs()) != 0 {
				t.Errorf("allowed: %v", spans[1])
			}
			if got := spans[2]; got.GetName() != "HTTP /api/2.1/jobs/list" || got.Attrs()["http.request.method"] != "_OTHER" || got.Attrs()["error.type"] != "failed" || got.GetStatus().GetCode() != 2 {
				t.Errorf("failed: %v", got)
			}
			if key := receiver.Headers()[0].Get("X-Key"); key != "value" {
				t.Errorf("the header of OTEL_EXPORTER_OTLP_HEADERS is %q", key)
			}
		})
	}
}

// TestOtherExporters: spans from the SDK say the same as those over OTLP, and the
// environment's sampler and limits do not apply to them either.
func TestOtherExporters(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	name := fmt.Sprint("test-memory-", time.Now().UnixNano()) // a name is registered once
	autoexport.RegisterSpanExporter(name, func(context.Context) (sdktrace.SpanExporter, error) { return keeps{memory}, nil })
	quiet(t, map[string]string{"OTEL_TRACES_EXPORTER": name, "OTEL_TRACES_SAMPLER": "always_off", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_SPAN_LINK_COUNT_LIMIT": "0"})
	denied := deniedRecord()
	telemetry := startTelemetry(t, Settings{WhenFull: Drop}, new(told))
	telemetry.Put(denied, false)
	telemetry.Close()
	spans := memory.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	got := spans[0]

	want := decodeSpan(t, new(otlpEncoder).appendSpan(nil, denied))
	if got.Name != want.GetName() || got.SpanContext.TraceID() != trace.TraceID(want.GetTraceId()) || len(got.Links) != 1 || got.Links[0].SpanContext.TraceID().String() != callerTrace {
		t.Errorf("got %+v", got)
	}
	if len(got.Attributes) != len(want.GetAttributes()) {
		t.Fatalf("%d attributes, by OTLP %d", len(got.Attributes), len(want.GetAttributes()))
	}
	for i, kv := range want.GetAttributes() {
		value := otlptest.Value(kv.GetValue())
		if list, ok := value.([]any); ok {
			value = fmt.Sprint(list)
		}
		mine := got.Attributes[i].Value.AsInterface()
		if list, ok := mine.([]string); ok {
			mine = fmt.Sprint(list)
		}
		if string(got.Attributes[i].Key) != kv.GetKey() || mine != value {
			t.Errorf("%s is %v, by OTLP %s is %v", got.Attributes[i].Key, mine, kv.GetKey(), value)
		}
	}
}

// keeps is an exporter that still has its spans after it was shut down.
type keeps struct{ *tracetest.InMemoryExporter }

func (keeps) Shutdown(context.Context) error { return nil }

// TestRecordsAreCheap bounds what a request pays. It must not run in parallel, because
// allocations are counted for the whole process.
func TestRecordsAreCheap(t *testing.T) {
	record := typicalRecord()
	logger := NewLogger(discard(), lossesOf(SinkLog, new(told)))
	// With the race detector, pools drop items.
	if got := testing.AllocsPerRun(100, func() { logger.Write(record) }); got > 1 && !raceDetector {
		t.Errorf("a line takes %g allocations", got)
	}
	s := newSink(nowhere{}, lossesOf(SinkTraces, new(told)), Settings{Queue: 1 << 16, WhenFull: Refuse}, 512, pace{delay: time.Hour, export: time.Second})
	defer s.close()
	if got := testing.AllocsPerRun(100, func() { s.reserve(); s.put(record, true) }); got > 0 {
		t.Errorf("putting a record into the queue takes %g allocations", got)
	}
}

// strip keeps the attributes that can be compared.
func strip(attributes map[string]any) map[string]any {
	maps.DeleteFunc(attributes, func(_ string, v any) bool { _, list := v.([]any); return list })
	return attributes
}

// TestBadCollectors: whatever a collector does, every record arrives or is counted,
// the cause is reported in our words, and closing does not take long.
func TestBadCollectors(t *testing.T) {
	type attempt struct {
		receiver  *otlptest.Receiver
		protocol  otlptest.Protocol
		signal    string
		telemetry *Sinks
		losses    *lastLoss
		took      time.Duration
	}
	tests := []struct {
		name     string
		spoil    func(*otlptest.Receiver)
		lost     int
		cause    string
		detail   map[otlptest.Protocol]string
		attempts []*attempt
	}{
		{"refuses", func(r *otlptest.Receiver) { r.Refuse(401) }, 20, CauseExport, map[otlptest.Protocol]string{otlptest.HTTP: "status 401", otlptest.GRPC: "gRPC status Unauthenticated"}, nil},
		{"rejects a part", func(r *otlptest.Receiver) { r.RejectPart(7) }, 7, CauseRejected, nil, nil},
		{"is away", (*otlptest.Receiver).Stop, 20, "", nil, nil},
		{"hangs", (*otlptest.Receiver).Hang, 20, CauseShutdown, nil, nil},
	}
	// The environment belongs to the process, so that these tests cannot run in
	// parallel. But exporters read it only when they are made.
	for i := range tests {
		for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
			for _, signal := range []string{SinkTraces, SinkLogs} {
				a := &attempt{receiver: otlptest.Start(t, protocol), protocol: protocol, signal: signal, losses: new(lastLoss)}
				exporter := map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
				exporter["OTEL_"+strings.ToUpper(signal)+"_EXPORTER"] = "otlp"
				quiet(t, exporter)
				a.receiver.Setenv(t)
				tests[i].spoil(a.receiver)
				var err error
				if a.telemetry, err = NewTelemetry(Settings{WhenFull: Drop}, a.losses, a.losses); err != nil {
					t.Fatal(err)
				}
				tests[i].attempts = append(tests[i].attempts, a)
			}
		}
	}
	var closing sync.WaitGroup
	for _, test := range tests {
		for _, a := range test.attempts {
			for range 20 {
				a.telemetry.Put(deniedRecord(), false)
			}
			closing.Go(func() {
				start := time.Now()
				a.telemetry.Close()
				a.took = time.Since(start)
			})
		}
	}
	closing.Wait()
	for _, test := range tests {
		for _, a := range test.attempts {
			t.Run(strings.Join([]string{test.name, string(a.protocol), a.signal}, " "), func(t *testing.T) {
				if a.took > closeTime+500*time.Millisecond {
					t.Errorf("closing took %s", a.took)
				}
				spans, logs := a.receiver.Counts()
				if got := a.losses.dropped(a.signal); got != test.lost || spans+logs != 20-test.lost {
					t.Errorf("%d lost and %d arrived of 20, want %d lost", got, spans+logs, test.lost)
				}
				if test.cause != "" && a.losses.cause != test.cause || test.detail != nil && a.losses.detail != test.detail[a.protocol] {
					t.Errorf("told %s, %s", a.losses.cause, a.losses.detail)
				}
			})
		}
	}
}

// lastLoss keeps the last cause and detail.
type lastLoss struct {
	told
	cause, detail string
}

func (l *lastLoss) LosingRecords(_, cause, detail string) { l.cause, l.detail = cause, detail }

func TestRefuseReservesInEverySink(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	quiet(t, map[string]string{"OTEL_LOGS_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "1000000", "OTEL_BLRP_SCHEDULE_DELAY": "1000000"})
	receiver.Setenv(t)
	telemetry := startTelemetry(t, Settings{Queue: 2, WhenFull: Refuse}, new(told))
	defer telemetry.Close()
	var reservations []Reservation
	for range 2 {
		reserved, ok := telemetry.Reserve()
		if !ok {
			t.Fatal("no room in an empty queue")
		}
		reservations = append(reservations, reserved)
	}
	if _, ok := telemetry.Reserve(); ok {
		t.Error("a third reservation in a queue of two")
	}
	for _, reserved := range reservations {
		telemetry.Put(typicalRecord(), reserved)
	}
	receiver.WaitSpans(t, 2) // the queue is one batch, so both are sent
	receiver.WaitLogs(t, 2)
	await(t, "room", func() bool {
		_, ok := telemetry.Reserve()
		return ok
	})
	var none *Sinks
	if reserved, ok := none.Reserve(); bool(reserved) || !ok {
		t.Error("without sinks nothing is refused")
	}
	none.Put(typicalRecord(), false)
	none.Close()
}

// await waits for what happens in real time.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}
