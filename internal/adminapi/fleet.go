package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleetreport"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Fleet tells how the gateways of one workspace's fleet are.
type Fleet interface {
	// Status returns what this gateway knows of its fleet.
	Status(ctx context.Context) fleet.Status
	// Progress returns how far a change has come.
	Progress(ctx context.Context, generation fleet.Generation) fleet.Progress
	// Untold returns why a change that has no generation was not told.
	Untold() fleet.Untold
}

// fleet says how the fleets of all workspaces, or of one, are.
func (s *server) fleet(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramFormat, paramWorkspace); err != nil {
		return err
	}
	format, err := tableFormatOf(query, (*fleetreport.Report).WriteJSON, (*fleetreport.Report).WriteCSV, (*fleetreport.Report).WriteTable)
	if err != nil {
		return err
	}
	workspaces := s.Workspaces()
	if named := query.Get(paramWorkspace); named != "" {
		workspace, err := WorkspaceOf(s, named)
		if err != nil {
			return err
		}
		workspaces = []Workspace{workspace}
	}
	if len(workspaces) == 0 {
		return errNoHandler()
	}
	report := FleetReport(r.Context(), s.Now(), workspaces)
	return format.answer(w, &report)
}

// FleetReport says how the fleets of workspaces are.
func FleetReport(ctx context.Context, now time.Time, workspaces []Workspace) fleetreport.Report {
	report := fleetreport.Report{At: now}
	for _, workspace := range workspaces {
		status := fleet.Status{Role: "single"}
		if workspace.Fleet != nil {
			status = workspace.Fleet.Status(ctx)
		}
		status.Workspace = workspace.URL
		report.Fleets = append(report.Fleets, status)
	}
	slices.SortStableFunc(report.Fleets, func(a, b fleet.Status) int { return cmp.Compare(a.Workspace, b.Workspace) })
	return report
}

// progress says how many edges have applied a change.
func (s *server) progress(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramGeneration, paramWorkspace); err != nil {
		return err
	}
	generation, err := strconv.ParseUint(query.Get(paramGeneration), 10, 64)
	if err != nil || generation == 0 {
		return errorf(http.StatusBadRequest, "%s must be the number that DELETE %s{id} answers, not %q", paramGeneration, Prefix+routeToken, query.Get(paramGeneration))
	}
	workspace, err := WorkspaceOf(s, query.Get(paramWorkspace))
	switch {
	case err != nil:
		return err
	case workspace.Fleet == nil:
		return errorf(http.StatusNotFound, "the gateway has no fleet for this workspace")
	}
	progress := workspace.Fleet.Progress(r.Context(), fleet.Generation(generation))
	if progress.Stragglers == nil {
		progress.Stragglers = []string{}
	}
	return writeJSON(w, http.StatusOK, progress)
}

// Fleet returns what a gateway knows of its fleets. The workspace may be empty for all.
func (c Client) Fleet(workspace string) ([]fleet.Status, error) {
	query := url.Values{}
	set(query, paramWorkspace, workspace)
	var all []fleet.Status
	err := c.read(routeFleet, query, &all)
	return all, err
}

// Progress returns how far a change of a workspace has come.
func (c Client) Progress(workspace string, generation fleet.Generation) (fleet.Progress, error) {
	query := url.Values{paramGeneration: {strconv.FormatUint(uint64(generation), 10)}}
	set(query, paramWorkspace, workspace)
	var progress fleet.Progress
	err := c.read(routeProgress, query, &progress)
	return progress, err
}

// Forgotten is what a gateway answers when it was told to forget a token.
type Forgotten struct {
	// Known reports whether the gateway remembered the token.
	Known bool `json:"known"`
	// Generation is the change by which its fleet was told, 0 without a fleet or if that
	// could not be told yet.
	Generation fleet.Generation `json:"generation,omitempty"`
	// Edges is how many edges are connected.
	Edges int `json:"edges,omitempty"`
	// Workspace is the workspace whose fleet was told, or was not.
	Workspace string `json:"workspace,omitempty"`
	// Untold is why the others in the fleet were not told. The gateway itself has forgotten
	// the token, unless the reason is [fleet.NoHandler].
	Untold fleet.Untold `json:"untold,omitempty"`
}

// Forget makes the gateway and its fleet look up a token again before they judge the next
// request with it. Where several workspaces have a fleet, the answer is about the named one.
func (c Client) Forget(id tokens.ID, workspace string) (Forgotten, error) {
	query := url.Values{}
	set(query, paramWorkspace, workspace)
	var forgotten Forgotten
	err := c.exchange(http.MethodDelete, routeToken+id.String(), query, nil, &forgotten)
	return forgotten, err
}
