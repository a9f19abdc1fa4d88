package adminapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// RecommendQuery asks for the smallest set of scopes that covers what a token was seen
// to use.
type RecommendQuery struct {
	TokenID tokens.ID
	// Workspace is the URL of the workspace. It may be empty if there is only one.
	Workspace string
	// Used leaves out what the token did not use in that time, such as 90d. Empty
	// means that all use counts; the gateway checks it.
	Used string
}

func (q RecommendQuery) encode() url.Values {
	query := url.Values{paramTokenID: {q.TokenID.String()}, paramFormat: {formatJSON}}
	set(query, paramWorkspace, q.Workspace)
	set(query, paramUsed, q.Used)
	return query
}

// recommend names the smallest set of scopes that covers what a token was seen to use.
func (s *server) recommend(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramTokenID, paramFormat, paramWorkspace, paramUsed); err != nil {
		return err
	}
	format := query.Get(paramFormat)
	if format != "" && format != formatText && format != formatJSON {
		return errorf(http.StatusBadRequest, "%s must be text or json, not %q", paramFormat, format)
	}
	id, err := tokens.ParseID(query.Get(paramTokenID))
	if err != nil {
		return errorf(http.StatusBadRequest, "reading %s: %w", paramTokenID, err)
	}
	window, err := readDuration(query, paramUsed)
	if err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	workspace, err := WorkspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	recommendation, err := Recommend(r.Context(), s, &workspace, id, window)
	if err != nil {
		return err
	}
	if format == formatJSON {
		return writeJSON(w, http.StatusOK, recommendation)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return recommendation.WriteText(w)
}

// Recommend names the smallest set of scopes that covers what a token was seen to use, within a
// time or, if that is 0, ever. Its errors are an [*Error].
func Recommend(ctx context.Context, g Gateway, w *Workspace, id tokens.ID, window time.Duration) (usage.Recommendation, error) {
	// Not from memory: which scopes would be dropped depends on what the token holds now.
	facts, err := lookUp(ctx, w.Tokens, id, tokens.Freshness{UnknownExpiry: true})
	if err != nil {
		return usage.Recommendation{}, err
	}
	state, err := w.Usage.State(ctx)
	if err != nil {
		return usage.Recommendation{}, errorf(http.StatusServiceUnavailable, "saved usage cannot be read, so there is no recommendation: %w", err)
	}
	recommendation, err := state.Recommend(id.String(), tokenFacts(facts.Info), window, g.Now())
	if err != nil {
		return usage.Recommendation{}, errorf(http.StatusNotFound, "%w", err)
	}
	// So that it is not applied to another token, and readers see whose it is.
	recommendation.Workspace = w.URL
	recommendation.Owner = w.Tokens.Owner(facts.Info).String()
	recommendation.Comment = facts.Info.Comment
	nameRules(g, w, facts.Info, recommendation.WouldBreak)
	return recommendation, nil
}
