package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// filter selects decisions. Its zero value selects all.
type filter struct {
	Outcome outcome
	// Owner and Operation are parts of names; letter case does not matter. Token is the
	// beginning of an id.
	Owner, Operation, Token string
}

// maxFilter bounds the text of a filter, in bytes. Each is compared with very many names.
const maxFilter = 256

// filterText returns the text of a filter.
func filterText(query url.Values, name string) string {
	text := query.Get(name)
	return strings.TrimSpace(text[:min(len(text), maxFilter)])
}

func filterOf(query url.Values) filter {
	f := filter{Outcome: outcome(query.Get("outcome")), Owner: filterText(query, "owner"), Operation: filterText(query, "operation"), Token: strings.ToLower(filterText(query, "token"))}
	if !slices.Contains(outcomes, f.Outcome) {
		f.Outcome = ""
	}
	return f
}

// query returns the filter as the query of a URL.
func (f filter) query() string {
	query := url.Values{}
	for name, value := range map[string]string{"outcome": string(f.Outcome), "owner": f.Owner, "operation": f.Operation, "token": f.Token} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query.Encode()
}

func (f filter) matches(r *audit.Record) bool {
	switch {
	case f.Outcome != "" && outcomeOf(r) != f.Outcome:
		return false
	case f.Token != "" && !strings.HasPrefix(r.TokenID, f.Token):
		return false
	case f.Operation != "" && (r.Operation == nil || !contains(r.Operation.Name, f.Operation)):
		return false
	case f.Owner != "" && !contains(ownerOf(r), f.Owner):
		return false
	}
	return true
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// about returns what selects the decisions of the workspace that the pages are about.
func (s *server) about(f filter) func(*audit.Record) bool {
	host := ""
	if s.options.Workspace != "" {
		host = workspaceurl.Host(s.options.Workspace)
	}
	return func(r *audit.Record) bool { return (host == "" || r.Workspace == host) && f.matches(r) }
}
