package adminapi

import (
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// maxListed bounds the ids in one answer.
const maxListed = 1000

// tokens lists the ids of tokens that are remembered, of all workspaces.
func (s *server) tokens(w http.ResponseWriter, _ *http.Request) error {
	answer := struct {
		Known int      `json:"known"`
		IDs   []string `json:"ids"`
	}{IDs: []string{}}
	for _, workspace := range s.Workspaces() {
		answer.Known += workspace.Tokens.Len()
		for _, id := range workspace.Tokens.IDs(maxListed - len(answer.IDs)) {
			answer.IDs = append(answer.IDs, id.String())
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// purge forgets a token in all workspaces, so that the next request with it looks it up.
func (s *server) purge(w http.ResponseWriter, r *http.Request) error {
	id, err := tokens.ParseID(strings.TrimPrefix(r.URL.Path, Prefix+routeToken))
	if err != nil {
		return errorf(http.StatusBadRequest, "DELETE %s{id}: %w", Prefix+routeToken, err)
	}
	known := false
	for _, workspace := range s.Workspaces() {
		known = workspace.Tokens.Purge(id) || known
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"known": known})
}
