package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// telemetryEnv is the environment of a gateway that sends records to a receiver.
func telemetryEnv(t testing.TB, receiver *otlptest.Receiver, variables map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // restores it
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	receiver.Setenv(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

// lost returns what the metric counts for a sink.
func lost(t testing.TB, sink string) int {
	t.Helper()
	registry := prometheus.NewRegistry()
	if _, err := metrics.Register(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "scopegate_audit_dropped_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetLabel()[0].GetValue() == sink {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("nothing counts what the sink %s loses", sink)
	return 0
}

// unsampled makes a request that asks not to be traced.
func unsampled(value string) func(*http.Request) {
	return func(r *http.Request) {
		bearer(value)(r)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
		r.Header.Set("Tracestate", "vendor=whatever")
	}
}

// TestTrailSurvives kills the collector under load, while callers ask not to be
// sampled and the environment samples nothing: the log has a line for every
// request, and what the collector did not get is counted.
func TestTrailSurvives(t *testing.T) {
	for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			receiver := otlptest.Start(t, protocol)
			telemetryEnv(t, receiver, map[string]string{
				"OTEL_LOGS_EXPORTER":             "otlp",
				"OTEL_TRACES_SAMPLER":            "always_off",
				"OTEL_BSP_EXPORT_TIMEOUT":        "500",
				"OTEL_BLRP_EXPORT_TIMEOUT":       "500",
				"OTEL_BSP_MAX_QUEUE_SIZE":        "64",
				"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
			})
			spansLost, logsLost := lost(t, audit.SinkTraces), lost(t, audit.SinkLogs)
			workspace := startWorkspace(t)
			h := startGateway(t, workspace, "")
			token := h.mint("jobs")
			h.send(t, "GET", jobsList, unsampled(token.Value))
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
						path := jobsList
						if i%2 == 0 {
							path = clustersList // refused
						}
						r, err := http.NewRequestWithContext(t.Context(), "GET", h.url+path, nil)
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
			// From here on nothing is taken, so that no answer is lost on its way
			// when the receiver dies: such a span would be there and counted.
			receiver.Refuse(http.StatusBadRequest)
			calls := receiver.Calls()
			receiver.WaitCalls(t, calls+6)
			waitFor(t, 10*time.Second, "both sinks to lose", func() bool {
				return lost(t, audit.SinkTraces) > spansLost && lost(t, audit.SinkLogs) > logsLost
			})
			receiver.Stop()
			for before := sent.Load(); sent.Load() < before+500; {
				time.Sleep(time.Millisecond)
			}
			close(stop)
			load.Wait()
			lines := h.records(t, int(sent.Load()))
			if err := caddy.Stop(); err != nil { // flushes, or gives up
				t.Fatal(err)
			}
			if len(lines) != int(sent.Load()) {
				t.Errorf("%d lines for %d requests", len(lines), sent.Load())
			}
			spans, logs := receiver.Counts()
			spansLost, logsLost = lost(t, audit.SinkTraces)-spansLost, lost(t, audit.SinkLogs)-logsLost
			t.Logf("%d requests; %d spans arrived, %d lost; %d log records arrived, %d lost", len(lines), spans, spansLost, logs, logsLost)
			if spans+spansLost != len(lines) {
				t.Errorf("%d spans and %d lost of %d", spans, spansLost, len(lines))
			}
			if logs+logsLost != len(lines) {
				t.Errorf("%d log records and %d lost of %d", logs, logsLost, len(lines))
			}
			if spansLost == 0 || logsLost == 0 {
				t.Error("the collector was not away")
			}
			for _, span := range receiver.Spans() {
				if got := span.LinkedTraceIDs(); len(got) != 1 || got[0] != "0af7651916cd43dd8448eb211c80319c" {
					t.Fatalf("a span links to %q", got)
				}
			}
		})
	}
}

// TestOneDeniedCall follows a denied call from what the client is shown to the
// record, the span and the log record.
func TestOneDeniedCall(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, map[string]string{"OTEL_LOGS_EXPORTER": "otlp"})
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "")
	got := h.send(t, "GET", clustersList+"?secret=1", unsampled(h.mint("jobs").Value))
	_, id, _ := strings.Cut(got.body, "[ReqId: ")
	id, _, _ = strings.Cut(id, "]")
	record := h.records(t, 1)[0]
	span, log := receiver.WaitSpans(t, 1)[0], receiver.WaitLogs(t, 1)[0]
	if record["request_id"] != id || span.Attrs()["databricks.request.id"] != id || log.Attrs()["databricks.request.id"] != id {
		t.Errorf("the client is shown %s, the record says %v, the span %v", id, record["request_id"], span.Attrs()["databricks.request.id"])
	}
	if span.TraceID() != strings.ReplaceAll(id, "-", "") {
		t.Errorf("the span's trace is %s", span.TraceID())
	}
	if log.TraceID() != record["trace_id"] || record["trace_id"] != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace %v, of the log record %s", record["trace_id"], log.TraceID())
	}
	if span.GetName() != "GET "+fmt.Sprint(record["template"]) || span.Attrs()["databricks.token.id"] != record["token_id"] {
		t.Errorf("span %s %v, record %v", span.GetName(), span.Attrs(), record)
	}
}

// TestNoRecordNoAccess: with refuse nothing passes that could not be recorded, and
// everything does again when it could.
func TestNoRecordNoAccess(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "200"})
	receiver.Hang()
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "audit {\nqueue 3\nwhen_full refuse\n}")
	token := h.mint("jobs")
	before := lost(t, audit.SinkTraces)
	for range 3 {
		if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
			t.Fatalf("with room: %d", got.status)
		}
	}
	reached := len(workspace.Requests())
	got := h.send(t, "GET", jobsList, bearer(token.Value))
	if got.status != 503 || got.header.Get("Retry-After") == "" || len(workspace.Requests()) != reached {
		t.Fatalf("without room: %d %v", got.status, got.header)
	}
	checkRefusal(t, got, "audit_unavailable", "TEMPORARILY_UNAVAILABLE: The gateway is temporarily unavailable.")
	if got := h.send(t, "GET", wellKnown, nil); got.status != 503 {
		t.Errorf("a public route without room: %d", got.status)
	}
	if got := h.send(t, "GET", clustersList, bearer(token.Value)); got.status != 403 {
		t.Errorf("what is refused anyway: %d", got.status)
	}
	record := h.records(t, 6)[3]
	if record["reason"] != "audit_unavailable" || record["decision"] != "deny" || record["operation"] == "" {
		t.Errorf("the log says %v", record)
	}
	if got := lost(t, audit.SinkTraces) - before; got != 3 {
		t.Errorf("%d lost, want the three that were refused", got)
	}
	receiver.Recover()
	waitFor(t, 20*time.Second, "the way to be free", func() bool {
		return h.send(t, "GET", jobsList, bearer(token.Value)).status == 200
	})
	receiver.WaitSpans(t, 3) // what had to be kept was
}

func TestObserveNeverRefuses(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, nil)
	receiver.Hang()
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "mode observe\naudit {\nqueue 2\nwhen_full refuse\n}")
	token := h.mint("jobs")
	before := lost(t, audit.SinkTraces)
	for range 5 {
		if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != 200 {
			t.Fatalf("status %d", got.status)
		}
	}
	waitFor(t, 10*time.Second, "losses to be counted", func() bool { return lost(t, audit.SinkTraces)-before == 3 })
}

func TestBlockWaitsForRoom(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "30000"})
	receiver.Slow(300 * time.Millisecond)
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "audit {\nqueue 1\nwhen_full block 20s\n}")
	token := h.mint("jobs")
	before := lost(t, audit.SinkTraces)
	for range 3 {
		h.send(t, "GET", jobsList, bearer(token.Value))
	}
	receiver.WaitSpans(t, 3)
	if got := lost(t, audit.SinkTraces) - before; got != 0 {
		t.Errorf("%d lost although there was time", got)
	}
}

// TestShutdownWithHungCollector: the process must not wait for a collector longer
// than it has.
func TestShutdownWithHungCollector(t *testing.T) {
	for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
		for _, policy := range []string{"drop", "refuse"} {
			t.Run(fmt.Sprint(protocol, " ", policy), func(t *testing.T) {
				receiver := otlptest.Start(t, protocol)
				telemetryEnv(t, receiver, map[string]string{"OTEL_LOGS_EXPORTER": "otlp"})
				receiver.Hang()
				workspace := startWorkspace(t)
				h := startGateway(t, workspace, "audit {\nwhen_full "+policy+"\n}")
				token := h.mint("jobs")
				before := lost(t, audit.SinkTraces) + lost(t, audit.SinkLogs)
				for range 5 {
					h.send(t, "GET", jobsList, bearer(token.Value))
				}
				h.records(t, 5)
				receiver.WaitCalls(t, 2)
				start := time.Now()
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("stopping took %s", took)
				}
				if got := lost(t, audit.SinkTraces) + lost(t, audit.SinkLogs) - before; got != 10 {
					t.Errorf("%d lost, want 10", got)
				}
			})
		}
	}
}

// TestTelemetryOutlivesReloads: a reload costs no record, and other settings hold
// from then on.
func TestTelemetryOutlivesReloads(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, map[string]string{"OTEL_BSP_SCHEDULE_DELAY": "60000"})
	workspace := startWorkspace(t)
	gateway := func(options string) string {
		return fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.URL(), adminBlock, options)
	}
	h := startSite(t, workspace, gateway(""))
	token := h.mint("jobs")
	before := lost(t, audit.SinkTraces)
	for i, options := range []string{"", "cache {\nttl 5m\n}", "mode observe"} {
		h.load(t, gateway(options))
		h.send(t, "GET", jobsList, bearer(token.Value))
		h.records(t, i+1)
	}
	if spans, _ := receiver.Counts(); spans != 0 {
		t.Errorf("%d spans were flushed by reloads that left the audit alone", spans)
	}
	h.load(t, gateway("audit {\nqueue 10\n}"))
	receiver.WaitSpans(t, 3)
	if got := lost(t, audit.SinkTraces) - before; got != 0 {
		t.Errorf("%d lost", got)
	}
}

func TestLossyEvent(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	telemetryEnv(t, receiver, nil)
	receiver.Refuse(http.StatusUnauthorized)
	workspace := startWorkspace(t)
	gateway := fmt.Sprintf("databricks_gateway %s {\n%s\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, gateway)
	h.global = fmt.Sprintf("events {\non %s tap\n}", eventLossy)
	h.load(t, gateway)
	token := h.mint("jobs")
	for i := range 20 {
		h.send(t, "GET", jobsList, bearer(token.Value))
		receiver.WaitCalls(t, i/4)
	}
	e := nextEvent(t)
	if e.Name() != eventLossy || fmt.Sprintf("%s %v %s %s", e.Data["sink"], e.Data["losing"], e.Data["cause"], e.Data["detail"]) != "traces true export_failed status 401" {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	select {
	case e := <-tapped:
		t.Errorf("one more event: %s %v", e.Name(), e.Data)
	case <-time.After(200 * time.Millisecond):
	}
}

func waitFor(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
