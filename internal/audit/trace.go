package audit

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
)

const (
	// tracerName is where these spans used to be made; dashboards may know it.
	tracerName = "github.com/scopegate/scopegate/caddymodule"

	spanDecision = "databricks_scopes"
	spanLookup   = "token lookup"

	// lookupTemplate is the URL template of a lookup.
	lookupTemplate = "/api/2.0/token-management/tokens/{token_id}"
)

// TraceDecision adds a span for the decision, and one for the lookup if there was one,
// to the trace of the server's span, and the route to that span. They use its provider:
// Caddy's tracing directive does not share it in another way. Both spans are created
// after the fact, so that requests without tracing do not pay for them.
func TraceDecision(ctx context.Context, server trace.Span, rec *Record) {
	decided := rec.Time.Add(rec.DecisionDuration)
	if rec.Operation != nil && rec.Operation.Template != "" {
		server.SetAttributes(semconv.HTTPRoute(rec.Operation.Template))
	}
	// Caddy's tracing believes the client's X-Forwarded-For.
	server.SetAttributes(semconv.ClientAddress(rec.ClientAddress))
	tracer := server.TracerProvider().Tracer(tracerName)
	ctx, span := tracer.Start(ctx, spanDecision,
		trace.WithTimestamp(rec.Time),
		trace.WithAttributes(DecisionAttributes(rec)...))
	if reason := rec.ErrorType(); refusal.Status(rec.Reason) >= http.StatusInternalServerError && reason != "" {
		span.SetStatus(codes.Error, reason)
	}
	if !rec.LookedUpAt.IsZero() {
		traceLookup(ctx, tracer, rec, decided)
	}
	span.End(trace.WithTimestamp(decided))
}

// traceLookup adds a span for the lookup, which several requests may have shared.
func traceLookup(ctx context.Context, tracer trace.Tracer, rec *Record, answered time.Time) {
	attributes := []attribute.KeyValue{
		semconv.HTTPRequestMethodGet,
		semconv.ServerAddress(rec.Workspace),
		semconv.URLTemplate(lookupTemplate),
		attribute.String("databricks.token.id", rec.TokenID),
	}
	var problem string
	switch rec.Reason {
	case policy.UnknownToken:
		problem = string(rec.Reason) // the workspace answered 404, which is an error in client spans
	case policy.DirectoryUnavailable, policy.GatewayMisconfigured:
		problem = rec.Detail
	}
	if problem != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(problem))
	}
	_, span := tracer.Start(ctx, spanLookup,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(rec.LookedUpAt),
		trace.WithAttributes(attributes...))
	if problem != "" {
		span.SetStatus(codes.Error, problem)
	}
	span.End(trace.WithTimestamp(answered))
}
