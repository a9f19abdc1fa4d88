package usage

import "time"

// Plan says for each of some tokens which scopes it needs.
type Plan struct {
	At time.Time `json:"at"`
	// Workspace is the URL of the workspace. [State.Plan] leaves it and Own to its caller.
	Workspace string `json:"workspace,omitempty"`
	// Own is the id of the token with which the gateway itself signs in to the workspace;
	// empty if it signs in with something else, or if that is not known.
	Own string `json:"gateway_token_id,omitempty"`
	// Tokens is the number of tokens before filtering.
	Tokens int       `json:"tokens"`
	Rows   []PlanRow `json:"rows"`
	// Notes say what is missing or not known yet, and why.
	Notes []string `json:"notes,omitempty"`
}

// PlanRow is one token of a plan. The workspace lists it.
type PlanRow struct {
	ListedToken
	// Last is when the token was last used, here or elsewhere; zero if it never was.
	Last time.Time `json:"last_seen,omitzero"`
	// Recommendation is nil for a token that was not seen, and Reason says why then.
	Recommendation *Recommendation `json:"recommendation,omitempty"`
	Reason         string          `json:"reason,omitempty"`
}

// Plan recommends scopes for the tokens of a report that was made from the state, by what they
// were seen to do within a window before now; a window of 0 means all time. Tokens that the
// workspace does not list are left out.
func (s *State) Plan(report *Report, window time.Duration, now time.Time) Plan {
	var from time.Time
	if window > 0 {
		from = now.Add(-window)
	}
	plan := Plan{At: now, Tokens: report.Tokens, Rows: []PlanRow{}, Notes: report.Notes}
	for i := range report.Rows {
		row := &report.Rows[i]
		if !row.Listed {
			continue
		}
		planned := PlanRow{ListedToken: row.ListedToken, Last: row.Last()}
		doubt := s.doubt(row.Seen, row.Created, from)
		switch {
		case row.Seen == nil && doubt != "":
			planned.Reason = "not seen, and evidence is missing: " + doubt
		case row.Seen == nil:
			planned.Reason = "not seen yet"
		default:
			r := recommendAfter(from, *row.Seen, row.TokenFacts, now, doubt)
			r.Owner, r.Comment = row.Owner(), row.Comment
			planned.Recommendation = &r
		}
		plan.Rows = append(plan.Rows, planned)
	}
	return plan
}
