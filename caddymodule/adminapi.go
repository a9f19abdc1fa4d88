package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
	"github.com/scopegate/scopegate/scopes"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI adds scopegate's routes to Caddy's admin API. It holds nothing: Caddy
// makes it before the configuration's handlers, and never cleans it up.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.databricks_scopes",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

const adminPrefix = "/databricks_scopes/"

// Routes returns the routes:
//
//	GET    /databricks_scopes/health       is the process live, is it ready
//	GET    /databricks_scopes/explain      judge ?method=&path= for ?token_id= or ?scopes=a,b
//	GET    /databricks_scopes/catalog      the catalogue in use, tab-separated
//	GET    /databricks_scopes/usage        what tokens hold and were seen to use, ?format=json|csv|table
//	GET    /databricks_scopes/report       the same
//	GET    /databricks_scopes/recommend    the smallest set of scopes for ?token_id=, ?format=text|json
//	GET    /databricks_scopes/tokens       how many tokens are known, and ids of up to 1,000
//	DELETE /databricks_scopes/tokens/{id}  forget what is known about a token
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: adminPrefix + "health", Handler: only(http.MethodGet, adminHealth)},
		{Pattern: adminPrefix + "explain", Handler: only(http.MethodGet, adminExplain)},
		{Pattern: adminPrefix + "catalog", Handler: only(http.MethodGet, adminCatalog)},
		{Pattern: adminPrefix + "usage", Handler: only(http.MethodGet, adminUsage)},
		{Pattern: adminPrefix + "report", Handler: only(http.MethodGet, adminUsage)},
		{Pattern: adminPrefix + "recommend", Handler: only(http.MethodGet, adminRecommend)},
		{Pattern: adminPrefix + "tokens", Handler: only(http.MethodGet, adminTokens)},
		{Pattern: adminPrefix + "tokens/", Handler: only(http.MethodDelete, adminPurge)},
	}
}

func only(method string, handle func(http.ResponseWriter, *http.Request) error) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != method {
			w.Header().Set("Allow", method)
			return apiError(http.StatusMethodNotAllowed, "use %s", method)
		}
		return handle(w, r)
	}
}

func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

func adminHealth(w http.ResponseWriter, r *http.Request) error {
	ok := ready(r.Context())
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, map[string]bool{"live": true, "ready": ok})
}

// adminExplain gives the answer of scopes explain for the running configuration
// and, unlike it, for a token that the workspace has.
func adminExplain(w http.ResponseWriter, r *http.Request) error {
	handler, err := theHandler()
	if err != nil {
		return err
	}
	query := r.URL.Query()
	info := new(tokens.Info)
	switch id := query.Get("token_id"); {
	case id != "" && query.Has("scopes"):
		return apiError(http.StatusBadRequest, "give token_id or scopes, not both")
	case id != "":
		parsed, err := tokens.ParseID(id)
		if err != nil {
			return apiError(http.StatusBadRequest, "reading token_id: %w", err)
		}
		facts, err := handler.authority.lookUp(r, parsed, handler.freshness)
		if err != nil {
			return err
		}
		info = facts.Info
	case query.Get("scopes") != "":
		info.Scopes = strings.Split(query.Get("scopes"), ",")
	}
	judge := &explainer{catalog: handler.catalog, rules: handler.rules, now: handler.now}
	answer, err := judge.judge(query.Get("method"), query.Get("path"), handler.authority.subject(info, handler.rules))
	if err != nil {
		return apiError(http.StatusBadRequest, "%w", err)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// lookUp resolves a token for an answer of the admin API.
func (a *authority) lookUp(r *http.Request, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	facts, err := a.resolver.Resolve(r.Context(), id, fresh)
	switch {
	case errors.Is(err, tokens.ErrUnknownToken):
		return tokens.Facts{}, apiError(http.StatusNotFound, "the workspace has no token of this id")
	case err != nil:
		return tokens.Facts{}, apiError(http.StatusServiceUnavailable, "%w", err)
	}
	return facts, nil
}

func adminCatalog(w http.ResponseWriter, _ *http.Request) error {
	handler, err := theHandler()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/tab-separated-values; charset=utf-8")
	return scopes.Format(w, handler.catalog.Operations())
}

// theHandler returns the handler to answer for. Several will do if their rules
// are the same.
func theHandler() (*Handler, error) {
	handlers := live.list()
	if len(handlers) == 0 {
		return nil, apiError(http.StatusNotFound, "the running configuration has no databricks_scopes handler")
	}
	for _, other := range handlers[1:] {
		if !handlers[0].judgesAs(other) || handlers[0].authority.key != other.authority.key {
			return nil, apiError(http.StatusConflict, "the running configuration has databricks_scopes handlers with different rules; use scopegate scopes explain --config instead")
		}
	}
	return handlers[0], nil
}

// theAuthority returns what knows the tokens of a workspace, or of the only one if
// none is named.
func theAuthority(workspace string) (*authority, error) {
	all := live.authorities()
	if workspace != "" {
		u, err := workspaceurl.Parse(workspace)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, "%w", err)
		}
		all = slices.DeleteFunc(all, func(a *authority) bool { return a.key.workspace != u.String() })
	}
	var names []string
	for _, a := range all {
		names = append(names, a.key.workspace)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(names) == 0 && workspace != "":
		return nil, apiError(http.StatusNotFound, "the running configuration has no databricks_scopes handler for that workspace")
	case len(names) == 0:
		return nil, apiError(http.StatusNotFound, "the running configuration has no databricks_scopes handler")
	case len(names) > 1:
		return nil, apiError(http.StatusConflict, "the gateway serves several workspaces; name one of them: %s", strings.Join(names, ", "))
	}
	return all[0], nil
}

// maxListed bounds the ids in one answer.
const maxListed = 1000

func adminTokens(w http.ResponseWriter, _ *http.Request) error {
	answer := struct {
		Known int      `json:"known"`
		IDs   []string `json:"ids"`
	}{IDs: []string{}}
	for _, a := range live.authorities() {
		answer.Known += a.resolver.Len()
		for _, id := range a.resolver.IDs(maxListed - len(answer.IDs)) {
			answer.IDs = append(answer.IDs, id.String())
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

func adminPurge(w http.ResponseWriter, r *http.Request) error {
	id, err := tokens.ParseID(strings.TrimPrefix(r.URL.Path, adminPrefix+"tokens/"))
	if err != nil {
		return apiError(http.StatusBadRequest, "DELETE %stokens/{id}: %w", adminPrefix, err)
	}
	known := false
	for _, a := range live.authorities() {
		known = a.resolver.Purge(id) || known
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"known": known})
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
