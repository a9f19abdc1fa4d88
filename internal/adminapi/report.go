package adminapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// ReportQuery selects what a report shows. The zero value asks for all tokens of the
// only workspace, as JSON.
type ReportQuery struct {
	// Workspace is the URL of the workspace. It may be empty if there is only one.
	Workspace string
	// Format is json, csv or table. Default: json.
	Format string
	// Sort is a [usage.Order]. Default: [usage.ByCalls].
	Sort string
	// Unscoped and NoExpiry keep tokens that may do everything, or never expire.
	Unscoped, NoExpiry bool
	// Unused keeps tokens that were not used for that long, and Expiring those that
	// expire within that time. Both are durations such as 30d; the gateway checks them.
	Unused, Expiring string
	// Owner keeps tokens whose owner has this name or id; * and ? are wildcards.
	Owner string
}

func (q ReportQuery) encode() url.Values {
	query := url.Values{}
	set(query, paramWorkspace, q.Workspace)
	set(query, paramFormat, q.Format)
	set(query, paramSort, q.Sort)
	setBool(query, paramUnscoped, q.Unscoped)
	setBool(query, paramNoExpiry, q.NoExpiry)
	set(query, paramUnused, q.Unused)
	set(query, paramExpiring, q.Expiring)
	set(query, paramOwner, q.Owner)
	return query
}

// reportRequest is a [ReportQuery] as the gateway understands it.
type reportRequest struct {
	workspace string
	order     usage.Order
	filter    usage.Filter
	format    tableFormat[usage.Report]
}

// tableFormat is a form of a report with rows.
type tableFormat[Report any] struct {
	contentType string
	write       func(*Report, io.Writer) error
}

func (f tableFormat[Report]) answer(w http.ResponseWriter, report *Report) error {
	w.Header().Set("Content-Type", f.contentType)
	return f.write(report, w)
}

// tableFormatOf returns the form that a query asks for. Default: JSON.
func tableFormatOf[Report any](query url.Values, json, csv, table func(*Report, io.Writer) error) (tableFormat[Report], error) {
	switch format := query.Get(paramFormat); format {
	case "", formatJSON:
		return tableFormat[Report]{"application/json", json}, nil
	case formatCSV:
		return tableFormat[Report]{"text/csv; charset=utf-8", csv}, nil
	case formatTable:
		return tableFormat[Report]{"text/plain; charset=utf-8", table}, nil
	default:
		return tableFormat[Report]{}, errorf(http.StatusBadRequest, "%s must be json, csv or table, not %q", paramFormat, format)
	}
}

func parseReport(query url.Values) (*reportRequest, error) {
	if err := knownParameters(query, paramFormat, paramWorkspace, paramSort, paramUnscoped, paramNoExpiry, paramUnused, paramExpiring, paramOwner); err != nil {
		return nil, err
	}
	request := &reportRequest{workspace: query.Get(paramWorkspace)}
	var err error
	if request.filter, err = parseFilter(query); err != nil {
		return nil, errorf(http.StatusBadRequest, "%w", err)
	}
	if request.order, err = usage.ParseOrder(query.Get(paramSort)); err != nil {
		return nil, errorf(http.StatusBadRequest, "%w", err)
	}
	request.format, err = tableFormatOf(query, (*usage.Report).WriteJSON, (*usage.Report).WriteCSV, (*usage.Report).WriteTable)
	return request, err
}

func parseFilter(query url.Values) (filter usage.Filter, err error) {
	filter.Owner = query.Get(paramOwner)
	if filter.Unscoped, err = readBool(query, paramUnscoped); err != nil {
		return filter, err
	}
	if filter.NoExpiry, err = readBool(query, paramNoExpiry); err != nil {
		return filter, err
	}
	if filter.Unused, err = readDuration(query, paramUnused); err != nil {
		return filter, err
	}
	filter.Expiring, err = readDuration(query, paramExpiring)
	return filter, err
}

// report says what each token of a workspace holds, and what it was seen to use.
func (s *server) report(w http.ResponseWriter, r *http.Request) error {
	request, err := parseReport(r.URL.Query())
	if err != nil {
		return err
	}
	workspace, err := workspaceOf(s, request.workspace)
	if err != nil {
		return err
	}
	report := workspace.report(r.Context(), s.Now())
	report.Sort(request.order)
	report = report.Filter(request.filter)
	return request.format.answer(w, &report)
}

// report joins what was seen with the workspace's list of tokens. Notes say what is
// missing, and why.
func (w *Workspace) report(ctx context.Context, now time.Time) usage.Report {
	var notes []string
	state, err := w.Usage.State(ctx)
	if err != nil {
		notes = append(notes, "saved usage could not be read: "+err.Error())
	}
	var listed []usage.ListedToken // stays nil where there is no list
	list, _, err := w.Tokens.List(ctx)
	if err != nil {
		notes = append(notes, err.Error())
	} else {
		var more []string
		listed, more = w.listed(list)
		notes = append(notes, more...)
	}
	report := usage.NewReport(state, listed, now)
	report.Notes = notes
	return report
}

// listed returns the workspace's list as reports take it. It is not nil. Notes say what is
// missing, and why.
func (w *Workspace) listed(list []*tokens.Info) (listed []usage.ListedToken, notes []string) {
	listed = make([]usage.ListedToken, 0, len(list))
	if from, ok := w.Tokens.(interface{ Faulty() []tokens.Faulty }); ok {
		if n := len(from.Faulty()); n > 0 {
			notes = append(notes, fmt.Sprintf("%d tokens are left out, because what the workspace says of them makes no sense; scopegate scopes verify counts them by kind", n))
		}
	}
	nameless := make(map[int64]bool)
	for _, info := range list {
		owner := w.Tokens.Owner(info)
		id, _ := owner.ID()
		name, known := owner.Name()
		if !known && id != 0 {
			nameless[id] = true
		}
		creator, _ := info.Creator.Name()
		listed = append(listed, usage.ListedToken{
			ID: info.ID.String(), OwnerID: id, OwnerName: name, Creator: creator,
			Comment: info.Comment, LastUsed: info.LastUsed, TokenFacts: tokenFacts(info),
		})
	}
	if len(nameless) > 0 {
		notes = append(notes, fmt.Sprintf("the names of %d owners are being looked up; run the report again in a minute", len(nameless)))
	}
	return listed, notes
}

func tokenFacts(info *tokens.Info) usage.TokenFacts {
	ends, _ := info.Expires.At()
	return usage.TokenFacts{
		Scopes:         info.Scopes,
		InferredScopes: info.InferredScopes,
		BackfillScopes: info.BackfillScopes,
		AutoscopeState: info.AutoscopeState,
		Created:        info.Created,
		Expires:        ends,
		NeverExpires:   info.Expires.Never(),
	}
}
