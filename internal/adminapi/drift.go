package adminapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// DriftQuery asks where the workspace's answers disagree with the map.
type DriftQuery struct {
	// Workspace is the URL of the workspace. It may be empty if there is only one.
	Workspace string
	// Format is json, csv or table. Default: json.
	Format string
	// All adds the operations about which there is nothing to do: those that the
	// workspace confirmed, and those that were corrected.
	All bool
}

func (q DriftQuery) encode() url.Values {
	query := url.Values{}
	set(query, paramWorkspace, q.Workspace)
	set(query, paramFormat, q.Format)
	setBool(query, paramAll, q.All)
	return query
}

// drift says where the workspace's answers disagree with the map.
func (s *server) drift(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramFormat, paramWorkspace, paramAll); err != nil {
		return err
	}
	format, err := tableFormatOf(query, (*usage.Drift).WriteJSON, (*usage.Drift).WriteCSV, (*usage.Drift).WriteTable)
	if err != nil {
		return err
	}
	all, err := readBool(query, paramAll)
	if err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	workspace, err := WorkspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	drift := workspace.Drift(r.Context(), s)
	if !all {
		drift = drift.Open()
	}
	return format.answer(w, &drift)
}

// Drift compares what is known of a workspace's answers with the rows in force of its
// gateway. Its notes say what is missing, and why.
func (w *Workspace) Drift(ctx context.Context, g Gateway) usage.Drift {
	var notes []string
	w.Usage.Settle(ctx)
	state, err := w.Usage.State(ctx)
	if err != nil {
		notes = append(notes, "what was learned could not be read in full: "+err.Error())
	}
	catalog := scopes.Default()
	judge, err := judgeOf(g, func(j Judge) string { return j.Catalog.Version() })
	if err == nil {
		catalog = judge.Catalog
	} else {
		notes = append(notes, "handlers have different routes, so answers are compared with the map as it ships")
	}
	drift := usage.NewDrift(state.Lessons, catalog, g.Now())
	drift.Notes = notes
	return drift
}
