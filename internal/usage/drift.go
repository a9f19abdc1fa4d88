package usage

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Drift is what a workspace's answers say about the map.
type Drift struct {
	At time.Time `json:"at"`
	// Shipped is the version of the map that the gateway ships with.
	Shipped string `json:"shipped_catalog"`
	// Operations is the number of operations about which answers are known, and Agreed
	// and Disagreed are the numbers of those answers, filtered out or not.
	Operations int    `json:"operations"`
	Agreed     uint64 `json:"agreed"`
	Disagreed  uint64 `json:"disagreed"`
	// Rows are sorted by state, then by method and template.
	Rows []DriftRow `json:"rows"`
	// Upstream are the rows that the gateway ships with and that answers contradict, as if
	// they were in force: answers about rows of the operator's own say nothing about them.
	Upstream []DriftRow `json:"upstream,omitempty"`
	// Notes say what is missing, and why.
	Notes []string `json:"notes,omitempty"`
}

// DriftState is what follows from a workspace's answers about a row.
type DriftState string

// The states, in the order of reports.
const (
	// DriftWrong: the row should be corrected, and it is known how.
	DriftWrong DriftState = "wrong"
	// DriftUndecided: answers disagree with the row, and do not say what is right.
	DriftUndecided DriftState = "undecided"
	// DriftCorrected: answers disagreed, and the row in force says by now what they say.
	DriftCorrected DriftState = "corrected"
	// DriftConfirmed: all answers agreed with the row.
	DriftConfirmed DriftState = "confirmed"
)

var driftStates = []DriftState{DriftWrong, DriftUndecided, DriftCorrected, DriftConfirmed}

// DriftRow is an operation, what the map says about it, and what the workspace does.
// Needs are in the form of the any_of column of a routes file.
type DriftRow struct {
	State     DriftState `json:"state"`
	Operation string     `json:"operation"`
	Method    string     `json:"method"`
	Template  string     `json:"template"`
	// Needs and Evidence are of the row in force, ShippedNeeds of the one that the gateway
	// ships with; empty if there is none.
	Needs        string          `json:"needs"`
	Evidence     scopes.Evidence `json:"evidence"`
	ShippedNeeds string          `json:"shipped_needs,omitempty"`
	// Named are the scopes that the workspace's refusals named.
	Named []string `json:"named"`
	// Correction is what the operation needs according to the answers; empty if they do
	// not say. Problem says then why.
	Correction string `json:"correction,omitempty"`
	Problem    string `json:"problem,omitempty"`
	// Agreed and Disagreed count answers.
	Agreed    uint64    `json:"agreed"`
	Disagreed uint64    `json:"disagreed"`
	First     time.Time `json:"first_seen,omitzero"`
	Last      time.Time `json:"last_seen,omitzero"`
}

// sort orders rows as in reports.
func (d *Drift) sort() {
	slices.SortFunc(d.Rows, func(a, b DriftRow) int {
		return cmp.Or(cmp.Compare(slices.Index(driftStates, a.State), slices.Index(driftStates, b.State)),
			cmp.Compare(a.Template, b.Template), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Operation, b.Operation))
	})
}

// Open returns a copy without the rows about which there is nothing to do.
func (d Drift) Open() Drift {
	d.Rows = slices.DeleteFunc(slices.Clone(d.Rows), func(r DriftRow) bool { return r.State != DriftWrong && r.State != DriftUndecided })
	return d
}

// in returns the rows in a state.
func (d *Drift) in(state DriftState) (rows []DriftRow) {
	for i := range d.Rows {
		if d.Rows[i].State == state {
			rows = append(rows, d.Rows[i])
		}
	}
	return rows
}

// Corrections returns the rows that should be corrected, as in a routes file. Answers name
// scopes, so a row that needs none is an error, as is one that does not fit into a file.
func (d *Drift) Corrections() ([]scopes.Operation, error) {
	var lines strings.Builder
	for _, r := range d.in(DriftWrong) {
		lines.WriteString(strings.Join([]string{r.Method, r.Template, r.Correction, string(scopes.Observed), r.Operation, r.source()}, "\t") + "\n")
	}
	rows, err := scopes.Parse(strings.NewReader(lines.String()), "the gateway's answer")
	for i := range rows {
		if rows[i].Access != scopes.ScopedAccess {
			return nil, fmt.Errorf("the gateway's answer: %s %s would need no scope", rows[i].Method, rows[i].Template)
		}
	}
	return rows, err
}

// source says how the correction is known.
func (r *DriftRow) source() string {
	what := "calls that the workspace let pass"
	if len(r.Named) > 0 {
		what = "refusals of the workspace, which name " + strings.Join(r.Named, ", ")
	}
	days := date(r.First)
	if last := date(r.Last); last != days {
		days += " to " + last
	}
	return Clean(what + "; " + days)
}

// WriteJSON writes the report as JSON, which decodes into a [Drift] again.
func (d *Drift) WriteJSON(w io.Writer) error { return writeJSON(w, d) }
