package adminapi

import (
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/tokens"
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
	workspace, err := workspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	// Not from memory: which scopes would be dropped depends on what the token holds now.
	facts, err := lookUp(r.Context(), workspace.Tokens, id, tokens.Freshness{UnknownExpiry: true})
	if err != nil {
		return err
	}
	state, err := workspace.Usage.State(r.Context())
	if err != nil {
		return errorf(http.StatusServiceUnavailable, "saved usage cannot be read, so there is no recommendation: %w", err)
	}
	recommendation, err := state.Recommend(id.String(), tokenFacts(facts.Info), window, s.Now())
	if err != nil {
		return errorf(http.StatusNotFound, "%w", err)
	}
	// So that it is not applied to another token, and readers see whose it is.
	recommendation.Workspace = workspace.URL
	recommendation.Owner = workspace.Tokens.Owner(facts.Info).String()
	recommendation.Comment = facts.Info.Comment
	s.nameRules(&workspace, facts.Info, recommendation.WouldBreak)
	if format == formatJSON {
		return writeJSON(w, http.StatusOK, recommendation)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return recommendation.WriteText(w)
}
