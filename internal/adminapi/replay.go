package adminapi

import (
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/replay"
)

// replay tells what was seen, and what becomes of it by the rules in force. Unlike a report it
// fails where a part is not known: nobody must take it for use that no rules would refuse.
func (s *server) replay(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramWorkspace); err != nil {
		return err
	}
	workspace, err := workspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	state, err := workspace.Usage.State(r.Context())
	if err != nil {
		return errorf(http.StatusServiceUnavailable, "saved usage cannot be read, so there is nothing to judge: %w", err)
	}
	list, _, err := workspace.Tokens.List(r.Context())
	if err != nil {
		return errorf(http.StatusServiceUnavailable, "the workspace's tokens are not known, so there is nothing to judge: %w", err)
	}
	return writeJSON(w, http.StatusOK, replay.NewSeen(replay.SeenInput{
		Workspace: workspace.URL, Judges: workspace.Judges(), Usage: state, Tokens: list, Owner: workspace.Tokens.Owner, At: s.Now(),
	}))
}

// Seen returns what the gateway saw of the tokens of a workspace, to be judged by other rules.
// The workspace may be empty if there is only one.
func (c Client) Seen(workspace string) (*replay.Seen, error) {
	query := url.Values{}
	set(query, paramWorkspace, workspace)
	seen := new(replay.Seen)
	if err := c.read(routeReplay, query, seen); err != nil {
		return nil, err
	}
	return seen, nil
}
