package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// beginRecord notes what a request is before anything is decided about it.
func beginRecord(r *http.Request, now time.Time) *audit.Record {
	rec := &audit.Record{
		Time:      now,
		Method:    r.Method,
		Path:      audit.CutPath(r.URL.EscapedPath()),
		UserAgent: audit.CutUserAgent(r.UserAgent()),
		TraceID:   traceID(r),
	}
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		rec.ClientAddress = address
	}
	return rec
}

// traceID returns the id of the trace that the request belongs to: that of
// Caddy's own span where the tracing directive is on, else the caller's.
func traceID(r *http.Request) string {
	span := trace.SpanContextFromContext(r.Context())
	if !span.HasTraceID() {
		if r.Header.Get("Traceparent") == "" {
			return ""
		}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		span = trace.SpanContextFromContext(ctx)
	}
	if !span.HasTraceID() {
		return ""
	}
	return span.TraceID().String()
}

// describeToken adds what is known about the token.
func describeToken(rec *audit.Record, facts tokens.Facts, rules policy.Rules, now time.Time) {
	rec.OwnerID = facts.Info.OwnerID
	rec.Creator = facts.Info.CreatorName
	rec.TokenScopes = policy.Held(facts.Info, rules)
	rec.FactsAge = now.Sub(facts.At)
	rec.FactsSource = facts.Source
}

const placeholderPrefix = "databricks_scopes."

// setPlaceholders makes the decision known to logs, headers and later handlers.
func setPlaceholders(r *http.Request, rec *audit.Record) {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	replacer.Map(func(key string) (any, bool) {
		switch key {
		case "http.auth.user.id":
			if rec.Verdict == audit.Allow {
				return owner(rec), true
			}
			return nil, false
		case "http.auth.candidate.id":
			if rec.Verdict == audit.Deny {
				return owner(rec), true
			}
			return nil, false
		}
		name, ok := strings.CutPrefix(key, placeholderPrefix)
		if !ok {
			return nil, false
		}
		return placeholder(rec, name)
	})
}

func placeholder(rec *audit.Record, name string) (any, bool) {
	switch name {
	case "token_id":
		return rec.TokenID, true
	case "owner":
		return owner(rec), true
	case "scopes":
		return strings.Join(rec.TokenScopes, ","), true
	case "required":
		return audit.Required(rec.Operation), true
	case "operation":
		if rec.Operation == nil {
			return "", true
		}
		return rec.Operation.Name, true
	case "decision":
		return string(rec.Verdict), true
	case "reason":
		return string(rec.Reason), true
	case "facts_age":
		if rec.FactsSource == "" {
			return "", true
		}
		return strconv.FormatFloat(rec.FactsAge.Seconds(), 'f', 3, 64), true
	}
	return nil, false
}

func owner(rec *audit.Record) string {
	if rec.OwnerID == 0 {
		return ""
	}
	return strconv.FormatInt(rec.OwnerID, 10)
}
