package caddymodule

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// beginRecord notes what a request is before anything is decided about it. Where
// nobody keeps records, it leaves out what nothing else needs.
func (h *Handler) beginRecord(r *http.Request, now time.Time, span trace.Span) *audit.Record {
	rec := &audit.Record{Time: now, Caller: callerOf(r, span), Outcome: audit.Answered}
	if rec.Brief = !h.recorded && !span.IsRecording(); rec.Brief {
		return rec
	}
	rec.Method = audit.CutMethod(r.Method)
	rec.Workspace = h.workspaceName
	rec.UserAgent = audit.CutUserAgent(r.UserAgent())
	rec.Catalogue = h.catalog.Version()
	rec.Rules = h.rulesHash
	if !h.Audit.redactsPath() {
		rec.Path = audit.CutPath(r.URL.EscapedPath(), r.RequestURI)
	}
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		rec.ClientAddress = address
	}
	return rec
}

// callerOf returns the span that the request belongs to: Caddy's own where the
// tracing directive is on, else the caller's.
func callerOf(r *http.Request, span trace.Span) audit.Caller {
	if own := span.SpanContext(); own.HasTraceID() {
		return audit.Caller{TraceID: own.TraceID(), SpanID: own.SpanID(), Flags: own.TraceFlags()}
	}
	if values := r.Header["Traceparent"]; len(values) == 1 {
		return parseTraceparent(values[0])
	}
	return audit.Caller{}
}

// parseTraceparent reads a header of W3C Trace Context, version 0 or what later
// ones have in common with it. It is zero for anything else.
func parseTraceparent(s string) audit.Caller {
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return audit.Caller{}
	}
	version, err := hex.DecodeString(s[:2])
	if err != nil || version[0] == 0xff || version[0] == 0 && len(s) != length || len(s) > length && s[length] != '-' {
		return audit.Caller{}
	}
	traceID, err := trace.TraceIDFromHex(s[3:35])
	if err != nil {
		return audit.Caller{}
	}
	spanID, err := trace.SpanIDFromHex(s[36:52])
	if err != nil {
		return audit.Caller{}
	}
	flags, err := hex.DecodeString(s[53:length])
	if err != nil {
		return audit.Caller{}
	}
	return audit.Caller{TraceID: traceID, SpanID: spanID, Flags: trace.TraceFlags(flags[0])}
}

// describeToken adds what is known about the token.
func (h *Handler) describeToken(rec *audit.Record, facts tokens.Facts, rules policy.Rules, now time.Time) {
	info := facts.Info
	rec.OwnerID = info.OwnerID
	rec.Creator = audit.CutName(info.CreatorName)
	if !rec.Brief {
		rec.Comment = h.comment(info.Comment)
	}
	rec.TokenScopes = policy.Held(info, rules)
	rec.FactsAge = now.Sub(facts.At)
	rec.FactsSource = facts.Source
}

// comment returns a token's comment as the operator wants it recorded.
func (h *Handler) comment(comment string) string {
	return audit.Comment(comment, h.Audit.commentMode())
}

// describeOwner adds the owner's name, which Token Management does not tell: it is
// known of owners who made the token themselves, and where policies ask for it.
func describeOwner(rec *audit.Record, subject policy.Subject) {
	rec.Owner = audit.CutName(cmp.Or(subject.OwnerName, subject.Info.OwnerName()))
}

const placeholderPrefix = "databricks_scopes."

// setPlaceholders makes the decision known to logs, headers and later handlers.
func setPlaceholders(r *http.Request, rec *audit.Record, token tokens.ID) {
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
		if name == "token_id" && !token.IsZero() {
			return token.String(), true
		}
		return placeholder(rec, name)
	})
}

func placeholder(rec *audit.Record, name string) (any, bool) {
	switch name {
	case "token_id":
		return "", true // the request bears none
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
