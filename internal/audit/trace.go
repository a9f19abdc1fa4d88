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
	tracerName = "github.com/scopegate/scopegate/caddymodule"

	spanDecision = "databricks_scopes"
	spanLookup   = "token lookup"

	// lookupTemplate is what a look-up asks for.
	lookupTemplate = "/api/2.0/token-management/tokens/{token_id}"
)

// TraceDecision adds the decision, and the look-up where the workspace was asked,
// to the trace of the server's span, and the route to that span. They go where that
// one goes: Caddy's tracing directive keeps its provider to itself. Both are made
// when they are over, so that requests which nobody traces pay for none of it.
func TraceDecision(ctx context.Context, server trace.Span, rec *Record) {
	decided := rec.Time.Add(rec.DecisionDuration)
	if rec.Operation != nil && rec.Operation.Template != "" {
		server.SetAttributes(semconv.HTTPRoute(rec.Operation.Template))
	}
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

// traceLookup adds a look-up. It may have been one that several requests waited for.
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
		problem = string(rec.Reason) // the workspace answered 404, an error of a client's
	case policy.DirectoryUnavailable:
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
