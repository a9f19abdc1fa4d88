package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/usage"
)

// tokenPage shows all that is known of one token.
var tokenPage = page{
	pattern: "/tokens/{id}", template: "token", title: "Token", scripts: []string{"console.js"}, all: true,
	load: func(s *server, r *http.Request) (any, error) {
		known, err := s.knownOf(r)
		if err != nil {
			return nil, err
		}
		data := newTokenData(known)
		data.Findings = s.findingsOf(data.ID, s.Now())
		data.Recent = s.callsOf(data.ID)
		data.ownerGone(s.ownerless()[data.ID])
		data.Verbs = s.verbsFor(known)
		return data, nil
	},
}

// tokenData is what the page shows.
type tokenData struct {
	tokenRow
	OwnerID        int64
	Creator        string
	Created, First when
	ElsewhereLast  when // the last day on which Databricks saw it used
	Autoscope      string
	Inferred       string // the scopes that Databricks saw it use
	Evidence       string
	Uses           []useRow
	Since          when // of the bars of Uses
	Cut            string
	Advice         *usage.Recommendation
	NoAdvice       string // why there is no Advice
	Native         *nativePolicy
	Findings       []tokenFinding
	Recent         callsData
	Summary, Notes []string
	// Verbs are what can be done to it here.
	Verbs []verbLink
}

// useRow is one operation of a token.
type useRow struct {
	Operation, Method, Template string
	Needs, Evidence             string
	Calls                       string
	Refused, Would              uint64
	Reason                      string
	First, Last                 when
	// Bar is when it was used.
	Bar bar
	// Lacks means that the token's scopes do not permit it.
	Lacks bool
}

// Title tells the tabs of several tokens apart.
func (d tokenData) Title() string { return "Token " + short(d.ID) }

func newTokenData(known *knownToken) tokenData {
	report, row := known.report, known.row
	now := report.At
	period := timeline{report.Since, now}
	p := tokenData{
		tokenRow: newTokenRow(report, row, limits), OwnerID: row.OwnerID, Creator: row.Creator,
		Created: newWhen(row.Created, now), ElsewhereLast: newWhen(row.LastUsed, now), Evidence: row.Evidence.String(),
		Autoscope: strings.ToLower(strings.TrimPrefix(row.AutoscopeState, "AUTOSCOPE_STATE_")), Inferred: strings.Join(row.InferredScopes, ", "),
		Since: newWhen(report.Since, now), Summary: summary(report), Notes: report.Notes,
		Advice: known.recommendation, NoAdvice: known.why, Native: newNativePolicy(known),
	}
	p.Holds = scopeCell{Names: row.Scopes} // all of them
	if row.Created.IsZero() {
		p.Created.Text = "not known"
	}
	if row.Seen != nil {
		p.First = newWhen(row.Seen.First, now)
		if row.Seen.Cut.Entries > 0 {
			p.Cut = row.Seen.Cut.String()
		}
		for i := range row.Seen.Uses {
			p.Uses = append(p.Uses, newUseRow(&row.Seen.Uses[i], row, period))
		}
	}
	return p
}

func newUseRow(u *usage.Use, row *usage.Row, period timeline) useRow {
	o := &u.Operation
	evidence := string(o.Evidence)
	if u.Confirmed > 0 {
		evidence += ", " + usage.ConfirmedHere(u.Confirmed)
	}
	return useRow{
		Operation: o.Name, Method: o.Method, Template: o.Template, Needs: judge.Needs(o), Evidence: evidence,
		Calls: usage.Thousands(u.Calls), Refused: u.Denied, Would: u.WouldDeny, Reason: u.Reason,
		First: newWhen(u.First, period.To), Last: newWhen(u.Last, period.To), Bar: period.bar(u.First, u.Last),
		Lacks: row.Listed && !row.Unscoped && !o.Permits(row.Scopes),
	}
}

// find returns the row of a token.
func find(report *usage.Report, id string) (*usage.Row, error) {
	i := slices.IndexFunc(report.Rows, func(r usage.Row) bool { return r.ID == id })
	if i < 0 {
		return nil, errorf(http.StatusNotFound, "neither the workspace nor what was recorded here has this token; it may belong to another workspace")
	}
	return &report.Rows[i], nil
}
