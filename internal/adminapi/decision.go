package adminapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/why"
)

// decision tells one of the last decisions.
func (s *server) decision(w http.ResponseWriter, r *http.Request) error {
	if err := knownParameters(r.URL.Query()); err != nil {
		return err
	}
	prefix, err := why.ParseID(strings.TrimPrefix(r.URL.Path, Prefix+routeDecision))
	if err != nil {
		return errorf(http.StatusBadRequest, "GET %s{request id}: %w", Prefix+routeDecision, err)
	}
	story, err := Decision(s, prefix)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, story)
}

// Decision tells one of the last decisions, by a prefix that [why.ParseID] returned. Its
// errors are an [*Error].
func Decision(g Gateway, prefix string) (*why.Story, error) {
	found := g.Recent().Find(prefix)
	switch {
	case len(found) == 0:
		return nil, noDecision(g)
	case len(found) > 1:
		return nil, errorf(http.StatusConflict, "%w", why.Several(len(found), found[0].Record.RequestID, found[1].Record.RequestID))
	}
	story := why.Tell(found[0].Record, maps(g))
	story.NoteSame(found[0].Same)
	return story, nil
}

// noDecision says what to do about a decision that is not here.
func noDecision(g Gateway) error {
	const instead = "read it from the audit log, with scopegate scopes why <request-id> --audit <file>"
	held, oldest := g.Recent().Span()
	if held == 0 {
		return errorf(http.StatusNotFound, "this gateway holds no decision yet, or keeps no records (audit log is off, and there is no output): ask the gateway that judged the request with --address, or %s", instead)
	}
	return errorf(http.StatusNotFound, "this gateway does not hold the decision; it holds the last %d, since %s. If the request is older, %s; if another gateway judged it, ask that one with --address; an answer of the workspace without x-request-id has no id of its own",
		held, oldest.UTC().Format(time.RFC3339), instead)
}

// maps returns the maps in force, each once.
func maps(g Gateway) why.Maps {
	maps := why.Maps{Name: "the map in force"}
	seen := make(map[string]bool)
	for _, judge := range g.Judges() {
		if version := judge.Catalog.Version(); !seen[version] {
			seen[version] = true
			maps.Catalogs = append(maps.Catalogs, judge.Catalog)
		}
	}
	return maps
}

// Why tells one of the gateway's last decisions. The id is as [why.ParseID] returns it.
func (c Client) Why(id string) (*why.Story, error) {
	story := new(why.Story)
	if err := c.read(routeDecision+id, nil, story); err != nil {
		return nil, err
	}
	return story, nil
}
