package bulk

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// planRow returns a row of a gateway's plan with enough evidence.
func planRow(text string, held, recommended []string) usage.PlanRow {
	id := tokens.IDOf(text).String()
	facts := usage.TokenFacts{Scopes: held, NeverExpires: true}
	r := &usage.Recommendation{TokenID: id, Facts: facts, Scopes: recommended, Evidence: usage.Evidence{Days: 9, Calls: 90, Enough: true}}
	if len(recommended) > 0 {
		r.Change = &usage.Change{Scopes: recommended}
	}
	return usage.PlanRow{ListedToken: usage.ListedToken{ID: id, OwnerID: 7, OwnerName: "o@example.com", Comment: text, TokenFacts: facts}, Recommendation: r}
}

func TestNewPlan(t *testing.T) {
	t.Parallel()
	jobs := []string{"jobs"}
	own := tokens.IDOf("a")
	for _, test := range []struct {
		name    string
		row     usage.PlanRow
		change  func(*usage.PlanRow, *usage.Plan)
		options Options
		action  Action
		reason  string
	}{
		{name: "narrower", row: planRow("a", []string{"jobs", "sql"}, jobs), action: Narrow},
		{name: "everything made narrower", row: planRow("a", nil, jobs), action: Narrow},
		{name: "all-apis made narrower", row: planRow("a", []string{"all-apis"}, jobs), action: Narrow},
		{name: "nothing to change", row: planRow("a", jobs, jobs), change: func(r *usage.PlanRow, _ *usage.Plan) { r.Recommendation.Change = nil }, action: Keep, reason: "holds no more than it needs"},
		{name: "needs all-apis", row: planRow("a", nil, []string{"all-apis"}), change: func(r *usage.PlanRow, _ *usage.Plan) { r.Recommendation.Change = nil }, action: Keep, reason: "needs all-apis"},
		{name: "expired", row: planRow("a", jobs, jobs), change: func(r *usage.PlanRow, _ *usage.Plan) {
			r.Recommendation.Change, r.Recommendation.Facts.Expires = nil, noon.Add(-time.Hour)
		}, action: Keep, reason: "expired"},
		{name: "needs no scope", row: planRow("a", jobs, nil), action: Keep, reason: "no call that passed needs a scope"},
		{name: "never seen", row: planRow("a", nil, nil), change: func(r *usage.PlanRow, _ *usage.Plan) {
			r.Recommendation, r.Reason = nil, "the gateway has not seen the token yet"
		}, action: Skip, reason: "the gateway has not seen the token yet"},
		{name: "widened by a gateway that lies", row: planRow("a", jobs, []string{"jobs", "sql"}), action: Skip, reason: "does not hold"},
		{name: "all-apis from a gateway that lies", row: planRow("a", nil, []string{"all-apis"}), action: Skip, reason: "or all-apis"},
		{name: "an empty scope", row: planRow("a", nil, []string{""}), action: Skip, reason: "does not hold"},
		{name: "the caller's", row: planRow("a", nil, jobs), options: Options{Own: &own}, action: Skip, reason: "this command signs in with it"},
		{name: "the gateway's", row: planRow("a", nil, jobs), change: func(r *usage.PlanRow, p *usage.Plan) { p.Own = r.ID }, action: Skip, reason: "the gateway signs in with it"},
		{name: "little evidence", row: planRow("a", nil, jobs), change: little3of7, action: Skip, reason: "little evidence: 3 of 7 days"},
		{name: "little evidence, which is enough", row: planRow("a", nil, jobs), change: little3of7, options: Options{LittleEvidence: true}, action: Narrow},
		{name: "missing evidence", row: planRow("a", nil, jobs), change: cut, options: Options{LittleEvidence: true}, action: Skip, reason: "evidence is missing: 3 operations dropped"},
		{name: "missing evidence, which does not matter", row: planRow("a", nil, jobs), change: cut, options: Options{DespiteCut: true}, action: Narrow},
		{name: "missing and little evidence", row: planRow("a", nil, jobs), change: func(r *usage.PlanRow, p *usage.Plan) {
			cut(r, p)
			r.Recommendation.Evidence.Missing = "3 of 7 days, " + r.Recommendation.Evidence.Doubt
		}, options: Options{DespiteCut: true}, action: Skip, reason: "little evidence: 3 of 7 days"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from := &usage.Plan{At: noon, Workspace: workspaceURL, Tokens: 1, Rows: []usage.PlanRow{test.row}}
			if test.change != nil {
				test.change(&from.Rows[0], from)
			}
			plan := NewPlan(from, Where{}, test.options)
			if row := plan.Rows[0]; row.Action != test.action || !strings.Contains(row.Reason, test.reason) || (row.Action == Narrow) != (row.Reason == "") {
				t.Errorf("%s: %s", row.Action, row.Reason)
			}
			if n := len(plan.Targets()); (n == 1) != (test.action == Narrow) {
				t.Errorf("%d targets", n)
			}
		})
	}
}

func little3of7(r *usage.PlanRow, _ *usage.Plan) {
	r.Recommendation.Evidence.Enough, r.Recommendation.Evidence.Missing = false, "3 of 7 days"
}

func cut(r *usage.PlanRow, _ *usage.Plan) {
	e := &r.Recommendation.Evidence
	e.Enough, e.Doubt, e.Missing = false, "3 operations dropped since 2026-02-01", "3 operations dropped since 2026-02-01"
}

// goodPlan has a token to narrow, one to keep and one to skip, with hostile texts.
func goodPlan() Plan {
	first := planRow("etl\n\x1b[2J", nil, []string{"jobs", "sql"})
	use := func(template, reason, policy, option, asks string) usage.Use {
		return usage.Use{Operation: scopes.Operation{Method: "POST", Template: template, AnyOf: []string{"clusters"}, Name: "x"}, Calls: 3, WouldDeny: 3, Reason: reason, Policy: policy, Option: option, Requirement: asks}
	}
	first.Recommendation.WouldBreak = []usage.Use{use("/api/2.1/clusters/create", "policy_denied", "nights", "access read", "permits only reading"), use("/api/2.0/old", "missing_scope", "", "", "")}
	first.Recommendation.Optional = []usage.Use{use("/telemetry-ext", "", "", "", "")}
	first.Recommendation.Notes = []string{"autoscope is running"}
	kept := planRow("kept", []string{"jobs"}, []string{"jobs"})
	kept.Recommendation.Change = nil
	skipped := planRow("skipped", nil, nil)
	skipped.Recommendation, skipped.Reason, skipped.OwnerName = nil, "not seen", ""
	return NewPlan(&usage.Plan{At: noon, Workspace: workspaceURL, Tokens: 5, Rows: []usage.PlanRow{first, kept, skipped}, Notes: []string{"a note"}}, Where{}, Options{})
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	plan := goodPlan()
	for format, parts := range map[string][]string{
		"table": {
			"3 of 5 tokens of " + workspaceURL + ": 1 to narrow, 1 to keep, 1 skipped.\nNote: a note\n",
			"TOKEN          OWNER          NOW           NARROWED TO",
			"o@example.com  (everything)  jobs sql", "keep: holds no more than it needs", "skip: not seen",
			"2 operations", `etl\n\u{1b}[2J`,
			"POST /api/2.1/clusters/create  3 calls  policy_denied by policy nights (access read), which permits only reading",
			"POST /telemetry-ext  3 calls\n", "Notes on tokens to narrow:\n  3ef7853e50a9…  autoscope is running\n",
		},
		"csv":  {"token_id,owner_id,owner,", ",o@example.com,", `,narrow,,,jobs sql,"POST /api/2.1/clusters/create: policy_denied by policy nights`, ",7,7,skipped,skip,not seen,"},
		"json": {`"action": "narrow"`, `"policy": "nights"`, `"option": "access read"`, `"narrow_to": [`, `"would_break": []`},
	} {
		var out strings.Builder
		if err := plan.Write(&out, format); err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s lacks %q:\n%s", format, part, out.String())
			}
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s lets a control character through", format)
		}
	}
}

func TestWhose(t *testing.T) {
	t.Parallel()
	targets := []Target{{Owner: "b"}, {Owner: "a"}, {Owner: "c"}, {Owner: "c"}}
	if got, want := Whose(targets), "4 tokens of 3 owners: c (2), a (1), b (1)"; got != want {
		t.Errorf("%s", got)
	}
	for i := range 30 {
		targets = append(targets, Target{Owner: strings.Repeat("x", i+1)})
	}
	if got := Whose(targets); !strings.Contains(got, "34 tokens of 33 owners: c (2), ") || !strings.HasSuffix(got, " and 13 owners more") {
		t.Error(got)
	}
}
