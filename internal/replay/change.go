package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// MaxLines limits the lines of each list of a [Report], unless it is asked for more. The
// counts are of all.
const MaxLines = 1000

// Change is one direction of what other rules change.
type Change struct {
	// How many operations, tokens and calls there are.
	Operations int    `json:"operations"`
	Tokens     int    `json:"tokens"`
	Calls      uint64 `json:"calls"`
	// Lines are the first [MaxLines], by calls.
	Lines []Line `json:"lines"`
}

// Line is one operation that one token was seen to call.
type Line struct {
	TokenID   string `json:"token_id"`
	Owner     string `json:"owner"`
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Template  string `json:"template"`
	// Now and Then are what the operation needs, in words.
	Now  string `json:"needs_now"`
	Then string `json:"needs_then"`
	// Reason is why it is refused, then or now, and Policy which policy refuses it.
	Reason policy.Reason `json:"reason"`
	Policy string        `json:"policy,omitempty"`
	// EnforcedFrom is the percentage from which on Policy is enforced for the token, if it is
	// rehearsed for some; otherwise 0.
	EnforcedFrom int       `json:"enforced_from,omitempty"`
	Calls        uint64    `json:"calls"`
	Last         time.Time `json:"last_seen"`
}

// tally collects what changed in one direction.
type tally struct {
	lines      []Line
	operations map[string]bool
	tokens     map[string]bool
	calls      uint64
}

func (t *tally) add(line Line) {
	if t.operations == nil {
		t.operations, t.tokens = make(map[string]bool), make(map[string]bool)
	}
	t.operations[line.Operation], t.tokens[line.TokenID] = true, true
	t.calls += line.Calls
	t.lines = append(t.lines, line)
}

// change returns the first lines, at most so many, and all for a negative number.
func (t *tally) change(limit int) Change {
	slices.SortFunc(t.lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Template, b.Template), cmp.Compare(a.Method, b.Method),
			cmp.Compare(a.TokenID, b.TokenID), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Policy, b.Policy))
	})
	out := Change{Operations: len(t.operations), Tokens: len(t.tokens), Calls: t.calls, Lines: []Line{}}
	if limit == 0 {
		limit = MaxLines
	}
	if limit < 0 || limit > len(t.lines) {
		limit = len(t.lines)
	}
	out.Lines = append(out.Lines, t.lines[:limit]...)
	return out
}

// lineOf returns the line of an operation whose calls do one thing now, and would do another.
func lineOf(id string, o *scopes.Operation, now, then Verdict, calls uint64, last time.Time) Line {
	refusal := then
	if then.Passes {
		refusal = now
	}
	return Line{
		TokenID: id, Operation: o.Name, Method: o.Method, Template: o.Template,
		Now: now.Needs, Then: then.Needs, Reason: refusal.Reason, Policy: refusal.Policy, Calls: calls, Last: last,
	}
}
