package otlptest

import (
	"context"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// exportTraces handles a call with spans, for both protocols.
func (r *Receiver) exportTraces(ctx context.Context, header http.Header, in *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	reject, err := r.begin(ctx, header)
	if err != nil {
		return nil, err
	}
	var spans []Span
	for _, resource := range in.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				spans = append(spans, Span{Span: span, Resource: resource.GetResource(), Scope: scope.GetScope()})
			}
		}
	}
	out := new(coltrace.ExportTraceServiceResponse)
	if reject = min(reject, len(spans)); reject > 0 {
		out.PartialSuccess = &coltrace.ExportTracePartialSuccess{RejectedSpans: int64(reject), ErrorMessage: rejected}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans.add(MaxKept, spans[:len(spans)-reject]...)
	r.notify()
	return out, nil
}

// exportLogs is exportTraces for log records.
func (r *Receiver) exportLogs(ctx context.Context, header http.Header, in *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	reject, err := r.begin(ctx, header)
	if err != nil {
		return nil, err
	}
	var logs []Log
	for _, resource := range in.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				logs = append(logs, Log{LogRecord: record, Resource: resource.GetResource(), Scope: scope.GetScope()})
			}
		}
	}
	out := new(collogs.ExportLogsServiceResponse)
	if reject = min(reject, len(logs)); reject > 0 {
		out.PartialSuccess = &collogs.ExportLogsPartialSuccess{RejectedLogRecords: int64(reject), ErrorMessage: rejected}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs.add(MaxKept, logs[:len(logs)-reject]...)
	r.notify()
	return out, nil
}

// rejected is the message of a partial success.
const rejected = "rejected by the test's receiver"
