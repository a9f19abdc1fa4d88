package bulk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Action is what becomes of a token.
type Action string

// The actions.
const (
	// Narrow: the token gets fewer scopes.
	Narrow Action = "narrow"
	// Keep: it holds what it needs.
	Keep Action = "keep"
	// Skip: it may hold more than it needs, and it is not certain that it does.
	Skip Action = "skip"
)

// Plan says what becomes of tokens.
type Plan struct {
	At        time.Time `json:"at"`
	Workspace string    `json:"workspace"`
	// Tokens is how many tokens the workspace has.
	Tokens int      `json:"tokens"`
	Rows   []Row    `json:"rows"`
	Notes  []string `json:"notes,omitempty"`
}

// Row is one token of a plan.
type Row struct {
	TokenID string `json:"token_id"`
	// Owner is the owner's name, or the number while the name is not known.
	Owner   string `json:"owner"`
	OwnerID int64  `json:"owner_id,omitempty"`
	Comment string `json:"comment,omitempty"`
	// Now are the scopes that the token holds; none means everything.
	Now []string `json:"now"`
	// To are the scopes that it is narrowed to; empty if that is not known.
	To     []string `json:"narrow_to"`
	Action Action   `json:"action"`
	// Reason says why the token is kept or skipped.
	Reason string `json:"reason,omitempty"`
	// WouldBreak are the operations that the gateway would refuse once it enforces, although
	// the token is narrowed to nothing that they need.
	WouldBreak []Use `json:"would_break"`
	// Optional are the operations that clients go on without. They need no scope.
	Optional []Use `json:"optional"`
	// Evidence says how much data this rests on.
	Evidence usage.Evidence `json:"evidence"`
	Notes    []string       `json:"notes,omitempty"`

	id tokens.ID
}

// Use is an operation that a token was seen to call.
type Use struct {
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Template  string `json:"template"`
	Calls     uint64 `json:"calls"`
	// Reason is why it is refused. Policy is the policy behind it, Option the option of the
	// policy or of the gateway, and Asks what the policy requires; empty if not known.
	Reason string `json:"reason,omitempty"`
	Policy string `json:"policy,omitempty"`
	Option string `json:"option,omitempty"`
	Asks   string `json:"policy_asks,omitempty"`

	why string
}

// Options say what may be narrowed.
type Options struct {
	// LittleEvidence allows tokens that were seen for less than seven days or twenty calls,
	// and DespiteCut those about which evidence was dropped or could not be read.
	LittleEvidence, DespiteCut bool
	// Own is the id of the token with which the command itself signs in; nil for none.
	Own *tokens.ID
}

// NewPlan decides what becomes of the tokens of a gateway's plan. The gateway is not trusted: a
// token is only ever narrowed.
func NewPlan(from *usage.Plan, where Where, options Options) Plan {
	plan := Plan{At: from.At, Workspace: from.Workspace, Tokens: from.Tokens, Rows: []Row{}, Notes: from.Notes}
	for i := range from.Rows {
		id, err := tokens.ParseID(from.Rows[i].ID)
		if err != nil || !where.picks(&from.Rows[i]) {
			continue
		}
		row := newRow(&from.Rows[i], id)
		row.decide(&from.Rows[i], from, options)
		plan.Rows = append(plan.Rows, row)
	}
	return plan
}

func newRow(from *usage.PlanRow, id tokens.ID) Row {
	row := Row{
		TokenID: from.ID, OwnerID: from.OwnerID, Owner: ownerOf(from), Comment: from.Comment, Now: list(from.Scopes),
		To: []string{}, WouldBreak: []Use{}, Optional: []Use{}, id: id,
	}
	r := from.Recommendation
	if r == nil {
		return row
	}
	row.Evidence, row.Notes = r.Evidence, r.Notes
	if r.Change != nil {
		row.To = r.Change.Scopes
	}
	for i := range r.WouldBreak {
		u := &r.WouldBreak[i]
		if u.Reason == missingScope && len(row.To) > 0 && u.Operation.Permits(row.To) {
			continue // only for lack of any scopes, which the token gets
		}
		row.WouldBreak = append(row.WouldBreak, newUse(u))
	}
	for i := range r.Optional {
		row.Optional = append(row.Optional, newUse(&r.Optional[i]))
	}
	return row
}

// missingScope is policy.MissingScope.
const missingScope = "missing_scope"

func newUse(u *usage.Use) Use {
	return Use{
		Operation: u.Operation.Name, Method: u.Operation.Method, Template: u.Operation.Template, Calls: u.Calls,
		Reason: u.Reason, Policy: u.Policy, Option: u.Option, Asks: u.Requirement, why: u.Why(),
	}
}

func ownerOf(row *usage.PlanRow) string {
	number := ""
	if row.OwnerID != 0 {
		number = strconv.FormatInt(row.OwnerID, 10)
	}
	return cmp.Or(row.OwnerName, number, tokens.Unknown)
}

// decide fills Action and Reason.
func (row *Row) decide(from *usage.PlanRow, plan *usage.Plan, options Options) {
	row.Action, row.Reason = Skip, ""
	r := from.Recommendation
	switch {
	case options.Own != nil && *options.Own == row.id:
		row.Reason = "this command signs in with it"
	case plan.Own == row.TokenID:
		row.Reason = "the gateway signs in with it"
	case r == nil:
		row.Reason = cmp.Or(from.Reason, "not seen")
	case r.Change == nil:
		row.Action, row.Reason = Keep, keepReason(r, plan.At)
	case !narrows(row.Now, row.To):
		row.Reason = "the gateway recommends scopes that the token does not hold, or all-apis"
	case missing(&r.Evidence) != "" && !options.DespiteCut:
		row.Reason = "evidence is missing: " + missing(&r.Evidence)
	case little(&r.Evidence) != "" && !options.LittleEvidence:
		row.Reason = "little evidence: " + little(&r.Evidence)
	default:
		row.Action = Narrow
	}
}

func keepReason(r *usage.Recommendation, now time.Time) string {
	switch {
	case r.Facts.Expired(now):
		return "expired"
	case len(r.Scopes) == 0 && r.Evidence.Days == 0:
		return "no evidence"
	case len(r.Scopes) == 0:
		return "no call that passed needs a scope"
	case slices.Contains(r.Scopes, scopes.AllAPIs):
		return "needs all-apis"
	}
	return "holds no more than it needs"
}

// missing says which evidence was dropped or could not be read.
func missing(e *usage.Evidence) string {
	if e.Doubt == "" && e.Cut.Entries > 0 {
		return e.Cut.String()
	}
	return e.Doubt
}

// little says how many days or calls are lacking, whatever else is missing.
func little(e *usage.Evidence) string {
	if e.Enough || e.Missing == e.Doubt {
		return ""
	}
	if e.Doubt == "" {
		return e.Missing
	}
	return strings.TrimSuffix(e.Missing, ", "+e.Doubt)
}

// narrows reports whether a token with the held scopes, where none stands for all, could
// do less with the wanted ones, and nothing more.
func narrows(held, wanted []string) bool {
	all := everything(held)
	for _, scope := range wanted {
		if scope == "" || scope == scopes.AllAPIs || !all && !slices.Contains(held, scope) {
			return false
		}
	}
	return len(wanted) > 0 && (all || !tokens.SameScopes(held, wanted))
}

// everything reports whether scopes permit everything.
func everything(held []string) bool { return len(held) == 0 || slices.Contains(held, scopes.AllAPIs) }

// Targets returns the tokens that the plan narrows.
func (p *Plan) Targets() (targets []Target) {
	for i := range p.Rows {
		if row := &p.Rows[i]; row.Action == Narrow {
			targets = append(targets, Target{ID: row.id, Owner: row.Owner, OwnerID: row.OwnerID, Comment: row.Comment, Former: row.Now, To: row.To})
		}
	}
	return targets
}

func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
