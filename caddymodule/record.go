package caddymodule

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// beginRecord notes what a request is before anything is decided about it. Where
// nobody keeps records, it leaves out what nothing else needs.
func (h *Handler) beginRecord(r *http.Request, now time.Time, span trace.Span) *audit.Record {
	rec := &audit.Record{Time: now, Caller: audit.CallerOf(r, span), Outcome: audit.Answered}
	if rec.Brief = !h.recorded && !span.IsRecording(); rec.Brief {
		return rec
	}
	rec.Method = audit.TruncateMethod(r.Method)
	rec.Workspace = h.workspaceName
	rec.UserAgent = audit.TruncateUserAgent(r.UserAgent())
	rec.Catalog = h.catalog.Version()
	rec.Rules = h.rulesHash
	if !h.Audit.redactsPath() {
		rec.Path = audit.TruncatePath(r.URL.EscapedPath(), r.RequestURI)
	}
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		rec.ClientAddress = address
	}
	return rec
}

// describeToken adds what is known about the token.
func (h *Handler) describeToken(rec *audit.Record, facts tokens.Facts, rules policy.Rules, now time.Time) {
	info := facts.Info
	rec.Creator = audit.TruncateName(info.CreatorName)
	if !rec.Brief {
		rec.Comment = h.comment(info.Comment)
	}
	rec.Held = policy.Held(info, rules)
	rec.FactsAge = now.Sub(facts.At)
	rec.Facts = facts
}

// comment returns a token's comment as the operator wants it recorded.
func (h *Handler) comment(comment string) string {
	return audit.Comment(comment, h.Audit.commentMode())
}

// describeOwner adds the owner's name, which Token Management does not tell: it is
// known of owners who made the token themselves, and where policies ask for it.
func describeOwner(rec *audit.Record, subject policy.Subject) {
	rec.Owner = audit.TruncateName(cmp.Or(subject.OwnerName, subject.Info.OwnerName()))
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
			if rec.Decision == judge.Allow {
				return owner(rec), true
			}
			return nil, false
		case "http.auth.candidate.id":
			if rec.Decision == judge.Deny {
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
		return strings.Join(rec.Held, ","), true
	case "required":
		return audit.Required(rec.Operation), true
	case "operation":
		if rec.Operation == nil {
			return "", true
		}
		return rec.Operation.Name, true
	case "decision":
		return string(rec.Decision), true
	case "reason":
		return string(rec.Reason), true
	case "facts_age":
		if rec.Facts.Source == "" {
			return "", true
		}
		return strconv.FormatFloat(rec.FactsAge.Seconds(), 'f', 3, 64), true
	}
	return nil, false
}

func owner(rec *audit.Record) string {
	if rec.OwnerID() == 0 {
		return ""
	}
	return strconv.FormatInt(rec.OwnerID(), 10)
}
