package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// The query parameters of the route usage, in the words of its command's flags.
const (
	queryFormat    = "format"
	queryWorkspace = "workspace"
	querySort      = "sort"
	queryUnscoped  = "unscoped"
	queryNoExpiry  = "no_expiry"
	queryUnused    = "unused"
	queryExpiring  = "expiring"
	queryOwner     = "owner"
	queryUsed      = "used" // of the route recommend
)

// adminUsage reports on the workspace's tokens: what each holds, and what it was
// seen to use.
func adminUsage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, queryFormat, queryWorkspace, querySort, queryUnscoped, queryNoExpiry, queryUnused, queryExpiring, queryOwner); err != nil {
		return err
	}
	filter, err := readFilter(query)
	if err != nil {
		return apiError(http.StatusBadRequest, "%w", err)
	}
	order, err := usage.ParseOrder(query.Get(querySort))
	if err != nil {
		return apiError(http.StatusBadRequest, "%w", err)
	}
	authority, err := theAuthority(query.Get(queryWorkspace))
	if err != nil {
		return err
	}
	write, contentType := (*usage.Report).WriteJSON, "application/json"
	switch format := query.Get(queryFormat); format {
	case "", "json":
	case "csv":
		write, contentType = (*usage.Report).WriteCSV, "text/csv; charset=utf-8"
	case "table":
		write, contentType = (*usage.Report).WriteTable, "text/plain; charset=utf-8"
	default:
		return apiError(http.StatusBadRequest, "format must be json, csv or table, not %q", format)
	}
	report := authority.report(r)
	report.Sort(order)
	report = report.Filter(filter)
	w.Header().Set("Content-Type", contentType)
	return write(&report, w)
}

// report joins what was seen with the workspace's list of tokens. What cannot be had
// is missing, and said.
func (a *authority) report(r *http.Request) usage.Report {
	var notes []string
	state, err := a.seen.State(r.Context())
	if err != nil {
		notes = append(notes, "what was saved before could not be read: "+err.Error())
	}
	var listed []usage.ListedToken
	list, _, err := a.resolver.List(r.Context())
	if err != nil {
		notes = append(notes, err.Error())
	} else {
		listed = make([]usage.ListedToken, 0, len(list))
	}
	nameless := make(map[int64]bool)
	for _, info := range list {
		name := a.ownerName(info)
		if name == "" && info.OwnerID != 0 {
			nameless[info.OwnerID] = true
		}
		listed = append(listed, usage.ListedToken{
			ID: info.ID.String(), OwnerID: info.OwnerID, OwnerName: name, Creator: info.CreatorName,
			Comment: info.Comment, LastUsed: info.LastUsed, TokenFacts: tokenFacts(info),
		})
	}
	if len(nameless) > 0 {
		notes = append(notes, fmt.Sprintf("the names of %d owners are being asked for; ask again in a while", len(nameless)))
	}
	report := usage.NewReport(state, listed, clock())
	report.Notes = notes
	return report
}

// knownParameters refuses others, which a misspelt filter would be: its report
// would be of all tokens.
func knownParameters(query url.Values, known ...string) error {
	for name := range query {
		if !slices.Contains(known, name) {
			return apiError(http.StatusBadRequest, "there is no parameter %q; %s", name, didyoumean.Hint(name, known))
		}
	}
	return nil
}

func readFilter(query url.Values) (filter usage.Filter, err error) {
	filter.Owner = query.Get(queryOwner)
	for name, to := range map[string]*bool{queryUnscoped: &filter.Unscoped, queryNoExpiry: &filter.NoExpiry} {
		if value := query.Get(name); value != "" {
			if *to, err = strconv.ParseBool(value); err != nil {
				return filter, fmt.Errorf("%s must be true or false, not %q", name, value)
			}
		}
	}
	for name, to := range map[string]*time.Duration{queryUnused: &filter.Unused, queryExpiring: &filter.Expiring} {
		if *to, err = readDuration(query, name); err != nil {
			return filter, err
		}
	}
	return filter, nil
}

// readDuration reads a parameter that may be missing.
func readDuration(query url.Values, name string) (time.Duration, error) {
	value := query.Get(name)
	if value == "" {
		return 0, nil
	}
	d, err := caddy.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s must be a duration such as 30d or 12h, not %q", name, value)
	}
	return d, nil
}

// adminRecommend tells the smallest set of scopes that covers what a token was
// seen to use.
func adminRecommend(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, "token_id", queryFormat, queryWorkspace, queryUsed); err != nil {
		return err
	}
	format := query.Get(queryFormat)
	if format != "" && format != "text" && format != "json" {
		return apiError(http.StatusBadRequest, "format must be text or json, not %q", format)
	}
	id, err := tokens.ParseID(query.Get("token_id"))
	if err != nil {
		return apiError(http.StatusBadRequest, "reading token_id: %w", err)
	}
	window, err := readDuration(query, queryUsed)
	if err != nil {
		return apiError(http.StatusBadRequest, "%w", err)
	}
	authority, err := theAuthority(query.Get(queryWorkspace))
	if err != nil {
		return err
	}
	// Asked anew: what would be dropped is judged by what the token holds now.
	facts, err := authority.lookUp(r, id, tokens.Freshness{})
	if err != nil {
		return err
	}
	state, err := authority.seen.State(r.Context())
	seen, ok := state.Token(id.String())
	switch {
	case err != nil:
		return apiError(http.StatusServiceUnavailable, "what was saved of the token's use cannot be read, so nothing can be recommended: %w", err)
	case !ok:
		return apiError(http.StatusNotFound, "this gateway has not seen the token yet; there is nothing to go by")
	}
	recommendation := usage.RecommendWithin(seen, tokenFacts(facts.Info), window, clock())
	// So that nobody applies it to another one, and that everybody knows whose it is.
	recommendation.Workspace = authority.key.workspace
	recommendation.Owner = cmp.Or(authority.ownerName(facts.Info), strconv.FormatInt(facts.Info.OwnerID, 10))
	recommendation.Comment = facts.Info.Comment
	if format == "json" {
		return writeJSON(w, http.StatusOK, recommendation)
	}
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
