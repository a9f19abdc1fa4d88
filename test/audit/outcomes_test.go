package audit

import (
	"net"
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// TestOutcomesInTelemetry: a request has one span, at its end, also if it left a record
// meanwhile. Span, log record, line and metric agree on how it ended.
func TestOutcomesInTelemetry(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_LOGS_EXPORTER": "otlp"})
	workspace := harness.StartWorkspace(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	site := harness.ScopesBlock(workspace) + "reverse_proxy {http.request.header.X-Upstream} {\ntransport databricks\n}"
	g := harness.NewGateway(t, workspace)
	g.Global = "databricks {\naudit {\nopen_after 20ms\n}\n}"
	g.Load(t, site)
	token := g.Mint("jobs").Value
	count := func(outcome string) float64 { return g.Metric(t, `scopegate_outcomes_total{outcome="`+outcome+`"}`) }
	unreachable, answered := count("upstream_unreachable"), count("answered")
	to := func(address string) func(*http.Request) {
		return func(r *http.Request) {
			harness.Bearer(token)(r)
			r.Header.Set("X-Upstream", address)
		}
	}
	g.Send(t, "GET", harness.JobsList, to(closed.Addr().String()))
	address := workspace.URL()[len("http://"):]
	slow := workspace.Faults().Set(harness.JobsList, fakeworkspace.Hang())
	go func() {
		g.Records(t, 2) // the second one is of a request that goes on
		slow.Remove()
	}()
	if got := g.Send(t, "GET", harness.JobsList, to(address)); got.StatusCode != http.StatusOK {
		t.Fatalf("status %d", got.StatusCode)
	}
	lines := g.Records(t, 3)
	spans := receiver.WaitSpans(t, 2)
	receiver.WaitLogs(t, 3)
	if len(spans) != 2 {
		t.Errorf("%d spans", len(spans))
	}
	outcomes := map[any]map[string]any{}
	for _, span := range spans {
		attrs := span.Attrs()
		outcomes[attrs["databricks.request.outcome"]] = attrs
	}
	failed, whole := outcomes["upstream_unreachable"], outcomes["answered"]
	if failed == nil || whole == nil || failed["error.type"] != "upstream_unreachable" || failed["databricks.scope.detail"] != "connection_refused" || whole["error.type"] != nil {
		t.Errorf("spans say %v", outcomes)
	}
	for i, want := range []string{"upstream_unreachable", "open", "answered"} {
		if lines[i]["outcome"] != want {
			t.Errorf("line %d says %v, want %s", i+1, lines[i]["outcome"], want)
		}
	}
	if whole["databricks.request.id"] != lines[1]["request_id"] {
		t.Errorf("the span's request id is %v, the open record's %v", whole["databricks.request.id"], lines[1]["request_id"])
	}
	if count("upstream_unreachable") != unreachable+1 || count("answered") != answered+1 || g.Metric(t, "scopegate_open_requests") != 0 {
		t.Error("a request was not counted once")
	}
}
