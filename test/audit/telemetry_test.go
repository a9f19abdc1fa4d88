package audit

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// withoutTelemetry loads a gateway that exports nothing, so that the metrics can be read
// after a stop.
func withoutTelemetry(t testing.TB, g *harness.Gateway) {
	t.Helper()
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	t.Setenv("OTEL_LOGS_EXPORTER", "none")
	g.Load(t, harness.GatewayBlock(g.Workspace, ""))
}

// unsampled makes a request that asks not to be traced.
func unsampled(value string) func(*http.Request) {
	return func(r *http.Request) {
		harness.Bearer(value)(r)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
		r.Header.Set("Tracestate", "vendor=whatever")
	}
}

// TestTrailSurvives kills the collector under load, while callers ask not to be sampled
// and the environment turns sampling off. The log has a line for every request, and what
// the collector did not get is counted.
func TestTrailSurvives(t *testing.T) {
	for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			receiver := otlptest.Start(t, protocol)
			harness.TelemetryEnv(t, receiver, map[string]string{
				"OTEL_LOGS_EXPORTER":             "otlp",
				"OTEL_TRACES_SAMPLER":            "always_off",
				"OTEL_BSP_EXPORT_TIMEOUT":        "500",
				"OTEL_BLRP_EXPORT_TIMEOUT":       "500",
				"OTEL_BSP_MAX_QUEUE_SIZE":        "64",
				"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
			})
			workspace := harness.StartWorkspace(t)
			g := harness.StartGateway(t, workspace, "")
			spansLost, logsLost := g.Lost(t, "traces"), g.Lost(t, "logs")
			token := g.Mint("jobs")
			g.Send(t, "GET", harness.JobsList, unsampled(token.Value))
			receiver.WaitSpans(t, 1)
			receiver.WaitLogs(t, 1)

			var (
				load sync.WaitGroup
				sent atomic.Int64
				stop = make(chan struct{})
			)
			sent.Add(1)
			for range 4 {
				load.Go(func() {
					client := &http.Client{}
					defer client.CloseIdleConnections()
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						path := harness.JobsList
						if i%2 == 0 {
							path = harness.ClustersList // refused
						}
						r, err := http.NewRequestWithContext(t.Context(), "GET", g.URL+path, nil)
						if err != nil {
							t.Error(err)
							return
						}
						unsampled(token.Value)(r)
						response, err := client.Do(r)
						if err != nil {
							t.Error(err)
							return
						}
						response.Body.Close()
						sent.Add(1)
					}
				})
			}
			receiver.WaitSpans(t, 100)
			receiver.WaitLogs(t, 100)
			// From here on the receiver accepts nothing. Otherwise its answer could be lost
			// when it dies, and a span would both arrive and count as lost.
			receiver.Refuse(http.StatusBadRequest)
			calls := receiver.Calls()
			receiver.WaitCalls(t, calls+6)
			harness.WaitFor(t, "both sinks to lose", func() bool {
				return g.Lost(t, "traces") > spansLost && g.Lost(t, "logs") > logsLost
			})
			receiver.Stop()
			before := sent.Load()
			harness.WaitFor(t, "500 more requests", func() bool { return sent.Load() >= before+500 })
			close(stop)
			load.Wait()
			lines := g.Records(t, int(sent.Load()))
			harness.Stop(t) // flushes, or gives up
			withoutTelemetry(t, g)
			if len(lines) != int(sent.Load()) {
				t.Errorf("%d records for %d requests", len(lines), sent.Load())
			}
			spans, logs := receiver.Counts()
			spansLost, logsLost = g.Lost(t, "traces")-spansLost, g.Lost(t, "logs")-logsLost
			t.Logf("%d requests; %d spans arrived, %d lost; %d log records arrived, %d lost", len(lines), spans, spansLost, logs, logsLost)
			if spans+spansLost != len(lines) {
				t.Errorf("%d spans and %d lost of %d", spans, spansLost, len(lines))
			}
			if logs+logsLost != len(lines) {
				t.Errorf("%d log records and %d lost of %d", logs, logsLost, len(lines))
			}
			if spansLost == 0 || logsLost == 0 {
				t.Error("the collector lost nothing, so its death was not tested")
			}
			for _, span := range receiver.Spans() {
				if got := span.LinkedTraceIDs(); len(got) != 1 || got[0] != "0af7651916cd43dd8448eb211c80319c" {
					t.Fatalf("a span links to %q", got)
				}
			}
		})
	}
}

// TestOneDeniedCall follows a denied call from the response to the record, the span and
// the log record.
func TestOneDeniedCall(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_LOGS_EXPORTER": "otlp"})
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	got := g.Send(t, "GET", harness.ClustersList+"?secret=1", unsampled(g.Mint("jobs").Value))
	_, id, _ := strings.Cut(got.Body, "[ReqId: ")
	id, _, _ = strings.Cut(id, "]")
	record := g.Records(t, 1)[0]
	span, log := receiver.WaitSpans(t, 1)[0], receiver.WaitLogs(t, 1)[0]
	if record["request_id"] != id || span.Attrs()["databricks.request.id"] != id || log.Attrs()["databricks.request.id"] != id {
		t.Errorf("request id: response %s, record %v, span %v", id, record["request_id"], span.Attrs()["databricks.request.id"])
	}
	if span.TraceID() != strings.ReplaceAll(id, "-", "") {
		t.Errorf("the span's trace is %s", span.TraceID())
	}
	if log.TraceID() != record["trace_id"] || record["trace_id"] != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace of the record %v, of the log record %s", record["trace_id"], log.TraceID())
	}
	if span.GetName() != "GET "+fmt.Sprint(record["template"]) || span.Attrs()["databricks.token.id"] != record["token_id"] {
		t.Errorf("span %s %v, record %v", span.GetName(), span.Attrs(), record)
	}
}

// TestNoRecordNoAccess: with when_full refuse, requests that cannot be recorded are
// refused, and pass again once there is room.
func TestNoRecordNoAccess(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "200"})
	receiver.Hang()
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "audit {\nqueue 3\nwhen_full refuse\n}")
	token := g.Mint("jobs")
	before := g.Lost(t, "traces")
	for range 3 {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
			t.Fatalf("with room: %d", got.StatusCode)
		}
	}
	reached := len(workspace.Requests())
	got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || len(workspace.Requests()) != reached {
		t.Fatalf("without room: %d %v", got.StatusCode, got.Header)
	}
	got.CheckRefusal(t, golden.FindRefusal(t, "audit_unavailable"))
	if got := g.Send(t, "GET", harness.WellKnown, nil); got.StatusCode != 503 {
		t.Errorf("public route without room: %d", got.StatusCode)
	}
	if got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value)); got.StatusCode != 403 {
		t.Errorf("without room, a request that is refused anyway: %d", got.StatusCode)
	}
	record := g.Records(t, 6)[3]
	if record["reason"] != "audit_unavailable" || record["decision"] != "deny" || record["operation"] == "" {
		t.Errorf("the log says %v", record)
	}
	if got := g.Lost(t, "traces") - before; got != 3 {
		t.Errorf("%d lost, want the three that were refused", got)
	}
	receiver.Recover()
	harness.WaitFor(t, "requests to pass again", func() bool {
		return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode == 200
	})
	receiver.WaitSpans(t, 3) // none of the queued records was lost
}

func TestObserveNeverRefuses(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, nil)
	receiver.Hang()
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "mode observe\naudit {\nqueue 2\nwhen_full refuse\n}")
	defer receiver.Recover() // so that the shutdown does not wait
	token := g.Mint("jobs")
	before := g.Lost(t, "traces")
	for range 5 {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
			t.Fatalf("status %d", got.StatusCode)
		}
	}
	harness.WaitFor(t, "losses to be counted", func() bool { return g.Lost(t, "traces")-before == 3 })
}

func TestBlockWaitsForRoom(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "30000"})
	receiver.Slow(300 * time.Millisecond)
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "audit {\nqueue 1\nwhen_full block 20s\n}")
	token := g.Mint("jobs")
	before := g.Lost(t, "traces")
	for range 3 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	}
	receiver.WaitSpans(t, 3)
	if got := g.Lost(t, "traces") - before; got != 0 {
		t.Errorf("%d lost although there was enough time", got)
	}
}

// TestShutdownWithHungCollector: a stop waits for a collector for a limited time.
func TestShutdownWithHungCollector(t *testing.T) {
	for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
		for _, policy := range []string{"drop", "refuse"} {
			t.Run(fmt.Sprint(protocol, " ", policy), func(t *testing.T) {
				receiver := otlptest.Start(t, protocol)
				harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_LOGS_EXPORTER": "otlp"})
				receiver.Hang()
				workspace := harness.StartWorkspace(t)
				g := harness.StartGateway(t, workspace, "audit {\nwhen_full "+policy+"\n}")
				token := g.Mint("jobs")
				before := g.Lost(t, "traces") + g.Lost(t, "logs")
				for range 5 {
					g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
				}
				g.Records(t, 5)
				receiver.WaitCalls(t, 2)
				start := time.Now()
				harness.Stop(t)
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("stopping took %s", took)
				}
				withoutTelemetry(t, g)
				if got := g.Lost(t, "traces") + g.Lost(t, "logs") - before; got != 10 {
					t.Errorf("%d lost, want 10", got)
				}
			})
		}
	}
}

// TestTelemetryOutlivesReloads: a reload loses no record, and new settings apply at once.
func TestTelemetryOutlivesReloads(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_BSP_SCHEDULE_DELAY": "60000"})
	workspace := harness.StartWorkspace(t)
	gateway := func(options string) string {
		return harness.GatewayBlock(workspace, options)
	}
	g := harness.StartSite(t, workspace, gateway(""))
	token := g.Mint("jobs")
	before := g.Lost(t, "traces")
	for i, options := range []string{"", "cache {\nttl 5m\n}", "mode observe"} {
		g.Load(t, gateway(options))
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
		g.Records(t, i+1)
	}
	if spans, _ := receiver.Counts(); spans != 0 {
		t.Errorf("reloads that did not change the audit flushed %d spans", spans)
	}
	g.Load(t, gateway("audit {\nqueue 10\n}"))
	receiver.WaitSpans(t, 3)
	if got := g.Lost(t, "traces") - before; got != 0 {
		t.Errorf("%d lost", got)
	}
}

// eventLossy is the event of an audit sink that loses records.
const eventLossy = "databricks_audit_lossy"

func TestLossyEvent(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, nil)
	receiver.Refuse(http.StatusUnauthorized)
	workspace := harness.StartWorkspace(t)
	gateway := harness.GatewayBlock(workspace, "")
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(eventLossy)
	g.Load(t, gateway)
	token := g.Mint("jobs")
	for i := range 20 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
		receiver.WaitCalls(t, i/4)
	}
	e := harness.NextEvent(t)
	if e.Name() != eventLossy || fmt.Sprintf("%s %v %s %s", e.Data["sink"], e.Data["losing"], e.Data["cause"], e.Data["detail"]) != "traces true export_failed status 401" {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	harness.NoEvent(t, 200*time.Millisecond)
}
