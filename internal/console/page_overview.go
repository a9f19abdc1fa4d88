package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleetreport"
	"github.com/scopegate/scopegate/internal/health"
)

// overviewPage says how the gateway is, and what it decided in the last hour.
var overviewPage = page{pattern: "/{$}", template: "overview", label: "Overview", title: "Overview", scripts: []string{"thirdparty/htmx.min.js", "thirdparty/uPlot.iife.min.js", "console.js", "overview.js"}, load: (*server).overview}

// overviewData is what the Overview shows.
type overviewData struct {
	Now    time.Time
	Mode   modeLine
	Hour   hourData
	Period periodData
	// Findings counts those that are new, by severity; nil where they were never evaluated.
	Findings []severityCount
	Health   health.Report
	Audit    audit.Condition
	Fleets   []fleetPart
	Maps     []mapPart
	Held     int // decisions in memory
	Oldest   time.Time
}

// severityCount is how many findings of a severity are new.
type severityCount struct {
	Severity findings.Severity
	Count    int
}

// countNew waits for the first evaluation, but not for long.
func countNew(ctx context.Context, book *findings.Book) []severityCount {
	report := book.Report(findings.Filter{State: findings.New})
	if report.Evaluated.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, findingsPatience)
		defer cancel()
		if book.Refresh(ctx) != nil {
			return nil
		}
		report = book.Report(findings.Filter{State: findings.New})
	}
	counts := make([]severityCount, len(findings.Severities))
	for i, severity := range findings.Severities {
		counts[i].Severity = severity
	}
	for i := range report.Findings {
		counts[slices.Index(findings.Severities, report.Findings[i].Severity)].Count++
	}
	return counts
}

// fleetPart is the fleet of one workspace.
type fleetPart struct {
	Workspace, Role string
	Problems        []string
	// Gateways share the store. Connected, Behind and Gone count edges.
	Gateways, Connected, Behind, Gone int
}

// mapPart is a map in force.
type mapPart struct {
	Version    string
	Operations int
}

func (s *server) overview(r *http.Request) (any, error) {
	hour, err := hourOf(s.Recent().Minutes())
	if err != nil {
		return nil, err
	}
	data := &overviewData{Now: s.Now(), Hour: hour, Health: s.Health(r.Context()), Audit: s.Audit()}
	data.Mode = modeOf(s.Judges())
	if data.Period, err = s.period(r.Context(), r.URL.Query().Get("period"), &data.Hour); err != nil {
		return nil, err
	}
	data.Held, data.Oldest = s.Recent().Span()
	if book, err := s.book(); err == nil && book != nil { // without a workspace, the page is about the gateway
		data.Findings = countNew(r.Context(), book)
	}
	report := adminapi.FleetReport(r.Context(), data.Now, s.Workspaces())
	for i := range report.Fleets {
		data.Fleets = append(data.Fleets, fleetPartOf(&report, i))
	}
	seen := make(map[string]bool)
	for _, judge := range s.Judges() {
		if version := judge.Catalog.Version(); !seen[version] {
			seen[version] = true
			data.Maps = append(data.Maps, mapPart{version, len(judge.Catalog.Operations())})
		}
	}
	return data, nil
}

// roles are what this gateway can be in a fleet.
var roles = map[string]string{
	"": "on its own", "single": "on its own", "shared": "shares facts through a store", "authority": "an authority", "edge": "an edge",
}

func fleetPartOf(report *fleetreport.Report, i int) fleetPart {
	f := &report.Fleets[i]
	one := fleetreport.Report{At: report.At, Fleets: []fleet.Status{*f}}
	part := fleetPart{Workspace: f.Workspace, Role: cmp.Or(roles[f.Role], f.Role), Problems: one.Down(), Gateways: len(f.Members)}
	for j := range f.Edges {
		switch fleetreport.State(&f.Edges[j]) {
		case "gone":
			part.Gone++
		case "behind":
			part.Behind++
			part.Connected++
		default:
			part.Connected++
		}
	}
	return part
}
