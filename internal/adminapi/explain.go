package adminapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// explain answers like scopes explain, for the running configuration and, unlike it,
// for a token of the workspace.
func (s *server) explain(w http.ResponseWriter, r *http.Request) error {
	answer, err := Explain(r.Context(), s, r.URL.Query())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

// Explain tells what a request needs, and what the running gateway would do with it. The
// query is that of the route explain. The error is an [*Error].
func Explain(ctx context.Context, g Gateway, query url.Values) (Explanation, error) {
	judge, err := judgeOf(g, func(j Judge) string { return j.Key })
	if err != nil {
		return Explanation{}, err
	}
	info := new(tokens.Info)
	switch id := query.Get(paramTokenID); {
	case id != "" && query.Has(paramScopes):
		return Explanation{}, errorf(http.StatusBadRequest, "set %s or %s, not both", paramTokenID, paramScopes)
	case id != "":
		parsed, err := tokens.ParseID(id)
		if err != nil {
			return Explanation{}, errorf(http.StatusBadRequest, "reading %s: %w", paramTokenID, err)
		}
		facts, err := lookUp(ctx, judge.Tokens, parsed, judge.Freshness)
		if err != nil {
			return Explanation{}, err
		}
		info = facts.Info
	case query.Get(paramScopes) != "":
		info.Scopes = strings.Split(query.Get(paramScopes), ",")
	}
	switch kind := query.Get(paramKind); {
	case kind == "oauth" && query.Get(paramTokenID) == "":
		info.OAuth = true
	case kind != "" && kind != "pat":
		return Explanation{}, errorf(http.StatusBadRequest, "%s must be pat or oauth, and tokens with a %s are pat", paramKind, paramTokenID)
	}
	answer, err := judge.Explain(query.Get(paramMethod), query.Get(paramPath), judge.Subject(info))
	if err != nil {
		return Explanation{}, errorf(http.StatusBadRequest, "%w", err)
	}
	return Explanation{answer, confirmed(ctx, g, answer.Row)}, nil
}

// Explanation is an explanation of the running gateway.
type Explanation struct {
	judge.Explanation
	// Confirmed is how often the workspace's answers agreed with the row.
	Confirmed uint64 `json:"confirmed_here,omitempty"`
}

// confirmed returns how often the workspace's answers agreed with a row, 0 if that is not
// known.
func confirmed(ctx context.Context, g Gateway, row *scopes.Operation) uint64 {
	workspace, err := WorkspaceOf(g, "") // judges that explain alike have the same
	if err != nil || row == nil {
		return 0
	}
	state, _ := workspace.Usage.State(ctx) // what can be read
	return state.Confirmed(row)
}

// resolver looks up tokens.
type resolver interface {
	Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error)
}

func lookUp(ctx context.Context, from resolver, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	facts, err := from.Resolve(ctx, id, fresh)
	switch {
	case errors.Is(err, tokens.ErrUnknownToken):
		return tokens.Facts{}, errorf(http.StatusNotFound, "%w", tokens.ErrUnknownToken)
	case err != nil:
		return tokens.Facts{}, errorf(http.StatusServiceUnavailable, "%w", err)
	}
	return facts, nil
}

// catalog writes the catalog in use, or what routes of a workspace go over.
func (s *server) catalog(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramBase, paramWorkspace); err != nil {
		return err
	}
	base, err := readBool(query, paramBase)
	switch {
	case err != nil:
		return errorf(http.StatusBadRequest, "%w", err)
	case query.Has(paramWorkspace) && !base:
		return errorf(http.StatusBadRequest, "%s goes with %s=true", paramWorkspace, paramBase)
	}
	catalog, err := s.catalogOf(base, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/tab-separated-values; charset=utf-8")
	return scopes.Format(w, catalog.Operations())
}

func (s *server) catalogOf(base bool, url string) (*scopes.Catalog, error) {
	if base {
		workspace, err := WorkspaceOf(s, url)
		if err != nil {
			return nil, err
		}
		return workspace.Base(), nil
	}
	judge, err := judgeOf(s, func(j Judge) string { return j.Catalog.Version() })
	if err != nil {
		return nil, err
	}
	return judge.Catalog, nil
}
