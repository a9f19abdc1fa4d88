package caddymodule

import (
	"net/http"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// adminUsage reports what tokens were seen to use since the gateway started.
func adminUsage(w http.ResponseWriter, r *http.Request) error {
	handler, err := theHandler()
	if err != nil {
		return err
	}
	report := usage.NewReport(handler.authority.seen.State(), nil, handler.now())
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		w.Header().Set("Content-Type", "application/json")
		return report.WriteJSON(w)
	case "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		return report.WriteCSV(w)
	case "table":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return report.WriteTable(w)
	default:
		return apiError(http.StatusBadRequest, "format must be json, csv or table, not %q", format)
	}
}

// adminRecommend tells the smallest set of scopes that covers what a token was
// seen to use.
func adminRecommend(w http.ResponseWriter, r *http.Request) error {
	handler, err := theHandler()
	if err != nil {
		return err
	}
	id, err := tokens.ParseID(r.URL.Query().Get("token_id"))
	if err != nil {
		return apiError(http.StatusBadRequest, "reading token_id: %w", err)
	}
	facts, err := handler.lookUp(r, id)
	if err != nil {
		return err
	}
	seen, ok := handler.authority.seen.Token(id.String())
	if !ok {
		return apiError(http.StatusNotFound, "this gateway has not seen the token yet; there is nothing to go by")
	}
	recommendation := usage.Recommend(seen, tokenFacts(facts.Info), handler.now())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return recommendation.WriteText(w)
}

func tokenFacts(info *tokens.Info) usage.TokenFacts {
	return usage.TokenFacts{
		Scopes:         info.Scopes,
		InferredScopes: info.InferredScopes,
		BackfillScopes: info.BackfillScopes,
		AutoscopeState: info.AutoscopeState,
		Created:        info.Created,
		Expires:        info.Expires,
		NeverExpires:   info.NeverExpires,
	}
}
