package adminapi

import (
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
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
	query := r.URL.Query()
	if err := knownParameters(query, paramWorkspace); err != nil {
		return err
	}
	id, err := tokens.ParseID(strings.TrimPrefix(r.URL.Path, Prefix+routeToken))
	if err != nil {
		return errorf(http.StatusBadRequest, "DELETE %s{id}: %w", Prefix+routeToken, err)
	}
	named := ""
	if u, err := workspaceurl.Parse(query.Get(paramWorkspace)); err == nil {
		named = u.String()
	}
	workspaces := s.Workspaces()
	if len(workspaces) == 0 { // as while the gateway shuts down
		return writeJSON(w, http.StatusOK, Forgotten{Untold: fleet.NoHandler})
	}
	answer, rank := Forgotten{}, 0
	for _, workspace := range workspaces {
		known, generation := workspace.Tokens.PurgeFleet(r.Context(), id)
		answer.Known = known || answer.Known
		if workspace.Fleet == nil {
			continue
		}
		untold := fleet.Untold("")
		if generation == 0 {
			untold = workspace.Fleet.Untold()
		}
		// That of the named workspace, or else of one in which the token was known.
		better := 1
		switch {
		case workspace.URL == named:
			better = 3
		case known:
			better = 2
		}
		// Of two that fit alike, the one that could not tell its fleet matters most.
		better *= 3
		switch {
		case untold != "":
			better += 2
		case generation != 0:
			better++
		}
		if better <= rank {
			continue
		}
		rank, answer.Generation, answer.Workspace, answer.Untold = better, generation, workspace.URL, untold
		answer.Edges = 0
		if generation != 0 {
			answer.Edges = workspace.Fleet.Progress(r.Context(), generation).Edges
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
