package audit

import (
	"fmt"
	"net/http"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// Names of the spans of a decision.
const (
	decisionSpan = "databricks_scopes"
	lookupSpan   = "token lookup"
)

// traceOf waits for the spans of one trace, by name.
func traceOf(t *testing.T, receiver *otlptest.Receiver, id string, want int) map[string]otlptest.Span {
	t.Helper()
	spans := make(map[string]otlptest.Span)
	harness.WaitFor(t, "a whole trace", func() bool {
		for _, span := range receiver.Spans() {
			if span.TraceID() == id {
				spans[span.GetName()] = span
			}
		}
		return len(spans) >= want
	})
	return spans
}

// TestCallersTrace: with Caddy's tracing directive the decision also appears in the
// caller's trace, and the server span has the route and the status.
func TestCallersTrace(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, nil)
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, fmt.Sprintf("tracing {\nspan server\nspan_attributes {\nowner {http.auth.user.id}\nreason {databricks_scopes.reason}\n}\n}\n%s", harness.GatewayBlock(workspace, "lookup {\ntimeout 5s\n}")))
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	const unknown = "dapi00000000000000000000000000000000"
	for i, test := range []struct {
		name, path, token string
		before            func()
		spans             []string
		status            int64
		reason            string
		decision, lookup  tracepb.Status_StatusCode
	}{
		{"looked up", harness.JobsList, token.Value, nil, []string{"server", decisionSpan, lookupSpan}, 200, "permitted", 0, 0},
		{"known", harness.JobsList, token.Value, nil, []string{"server", decisionSpan}, 200, "permitted", 0, 0},
		{"refused", harness.ClustersList, token.Value, nil, []string{"server", decisionSpan}, 403, "missing_scope", 0, 0},
		{"unknown", harness.JobsList, unknown, nil, []string{"server", decisionSpan, lookupSpan}, 403, "unknown_token", 0, tracepb.Status_STATUS_CODE_ERROR},
		{"known to be unknown", harness.JobsList, unknown, nil, []string{"server", decisionSpan}, 403, "unknown_token", 0, 0},
		{"outage", harness.JobsList, g.Mint().Value, func() {
			workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.InternalError())
		}, []string{"server", decisionSpan, lookupSpan}, 503, "directory_unavailable", tracepb.Status_STATUS_CODE_ERROR, tracepb.Status_STATUS_CODE_ERROR},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.before != nil {
				test.before()
			}
			id := fmt.Sprintf("%032x", i+1)
			g.Send(t, "GET", test.path, func(r *http.Request) {
				harness.Bearer(test.token)(r)
				r.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-01")
				r.Header.Set("X-Forwarded-For", "203.0.113.9") // of nobody who is trusted
			})
			spans := traceOf(t, receiver, id, len(test.spans))
			for _, name := range test.spans {
				if _, ok := spans[name]; !ok || len(spans) != len(test.spans) {
					t.Fatalf("spans %v, want %v", spans, test.spans)
				}
			}
			server, decision := spans["server"], spans[decisionSpan]
			if got := server.Attrs(); got["http.response.status_code"] != test.status || got["http.route"] == nil || got["reason"] != test.reason || got["client.address"] != "127.0.0.1" {
				t.Errorf("server span: %v", got)
			}
			if decision.ParentID() != server.SpanID() || decision.GetKind() != tracepb.Span_SPAN_KIND_INTERNAL || decision.GetStatus().GetCode() != test.decision {
				t.Errorf("decision: parent %s, kind %s, status %s", decision.ParentID(), decision.GetKind(), decision.GetStatus())
			}
			if got := decision.Attrs(); got["databricks.scope.reason"] != test.reason || got["databricks.token.id"] == nil {
				t.Errorf("decision: %v", got)
			}
			if lookup, ok := spans[lookupSpan]; ok {
				if lookup.ParentID() != decision.SpanID() || lookup.GetKind() != tracepb.Span_SPAN_KIND_CLIENT || lookup.GetStatus().GetCode() != test.lookup || lookup.Attrs()["server.address"] != "127.0.0.1" {
					t.Errorf("look-up: %v", lookup)
				}
			}
			// The record is linked to the server's span.
			if record := g.Records(t, i+1)[i]; record["trace_id"] != id {
				t.Errorf("the record names trace %v", record["trace_id"])
			}
		})
	}
}

// TestUnsampledCallers: requests that ask not to be traced are recorded but not traced.
func TestUnsampledCallers(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, nil)
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, fmt.Sprintf("tracing\ndatabricks_gateway %s {\n%s}", workspace.URL(), harness.AdminBlock))
	g.Send(t, "GET", harness.JobsList, unsampled(g.Mint("jobs").Value))
	receiver.WaitSpans(t, 1)
	harness.Stop(t) // sends what is queued
	spans := receiver.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want only the record's", len(spans))
	}
	if links := spans[0].LinkedTraceIDs(); len(links) != 1 || links[0] != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("links %q", links)
	}
}
