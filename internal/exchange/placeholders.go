package exchange

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/sanitize"
)

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
		return placeholder(rec, name)
	})
}

func placeholder(rec *audit.Record, name string) (any, bool) {
	switch name {
	case "token_id":
		if rec.Token.IsZero() {
			return "", true
		}
		return rec.Token.String(), true
	case "owner":
		return owner(rec), true
	case "scopes":
		return safe(strings.Join(rec.Held, ",")), true
	case "required":
		return safe(audit.Required(rec.Operation)), true
	case "operation":
		if rec.Operation == nil {
			return "", true
		}
		return safe(rec.Operation.Name), true
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

// safe sanitizes texts of the workspace and of the operator's catalog: placeholders are
// for logs and headers.
func safe(text string) string { return sanitize.String(text, sanitize.MaxText) }

// owner returns the number of the owner, else the name, as with OAuth tokens.
func owner(rec *audit.Record) string {
	if id := rec.OwnerID(); id != 0 {
		return strconv.FormatInt(id, 10)
	}
	if rec.Facts.Info == nil {
		return "" // there is no token, or nothing is known of it
	}
	return safe(rec.Judgement.Owner.String())
}
