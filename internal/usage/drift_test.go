package usage

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/scopes"
)

// mapOf returns the shipped map with rows over it.
func mapOf(t testing.TB, rows ...string) *scopes.Catalog {
	t.Helper()
	return maps.With(t, strings.Join(rows, "\n"))
}

// rowOf returns a row of a map.
func rowOf(t testing.TB, c *scopes.Catalog, method, template string) scopes.Operation {
	t.Helper()
	for _, o := range c.Operations() {
		if o.Method == method && o.Template == template {
			return o
		}
	}
	t.Fatalf("no row %s %s", method, template)
	return scopes.Operation{}
}

// TestNewDrift: what follows from lessons depends on the row in force.
func TestNewDrift(t *testing.T) {
	const jobs = "/api/2.2/jobs/list"
	shipped := scopes.Default()
	corrected := mapOf(t, "GET\t"+jobs+"\treading\tobserved")
	otherwise := mapOf(t, "GET\t"+jobs+"\tsql\tobserved")
	locked := mapOf(t, "GET\t"+jobs+"\tall-apis")
	account := mapOf(t, "GET\t"+jobs+"\taccount")
	either := mapOf(t, "GET\t"+jobs+"\tjobs,reading\tinferred")
	proven := mapOf(t, "GET\t"+jobs+"\tjobs,reading\tobserved")
	optional := mapOf(t, "GET\t"+jobs+"\tjobs,optional")
	agree := func(c *scopes.Catalog, at time.Time) Lesson {
		return Lesson{Operation: rowOf(t, c, "GET", jobs), Agreed: 5, First: at, Last: at}
	}
	refuse := func(c *scopes.Catalog, at time.Time, held string, named ...string) Lesson {
		return Lesson{Operation: rowOf(t, c, "GET", jobs), Disagreed: 2, First: at, Last: at, Refused: []Refusal{{Named: named, Held: []string{held}, Count: 2}}}
	}
	pass := func(c *scopes.Catalog, at time.Time, held ...string) Lesson {
		return Lesson{Operation: rowOf(t, c, "GET", jobs), Disagreed: 2, First: at, Last: at, Passed: []Success{{Held: held, Count: 2}}}
	}
	unmapped := Lesson{Operation: scopes.Operation{Method: "*", Template: "/{path...}", AnyOf: []string{scopes.AllAPIs}, Evidence: scopes.Unmapped, Name: "unmapped"},
		Disagreed: 1, First: noon, Last: noon, Passed: []Success{{Held: []string{"sql"}, Count: 1}}}
	spelled := rowOf(t, shipped, "GET", jobs)
	spelled.AnyOf, spelled.Evidence = []string{scopes.AllAPIs}, scopes.Unmapped
	gone := refuse(shipped, noon, "jobs", "reading")
	gone.Operation.Template = "/api/2.0/gone"
	cut := refuse(shipped, noon, "jobs", "reading")
	cut.Cut = true
	contradiction := refuse(shipped, noon, "jobs", "reading")
	contradiction.Refused = append(contradiction.Refused, Refusal{Named: []string{"sql"}, Held: []string{"jobs"}, Count: 1})
	later := noon.Add(day)
	for _, test := range []struct {
		name    string
		inForce *scopes.Catalog
		lessons []Lesson
		state   DriftState
		right   string
		problem string
	}{
		{"agreed", shipped, []Lesson{agree(shipped, noon)}, DriftConfirmed, "", ""},
		{"disagreed", shipped, []Lesson{refuse(shipped, noon, "jobs", "reading")}, DriftWrong, "reading", ""},
		{"contradictory", shipped, []Lesson{contradiction}, DriftUndecided, "", "contradict each other"},
		{"too many answers", shipped, []Lesson{cut}, DriftUndecided, "", "more different answers than are kept"},
		{"corrected, no answer yet", corrected, []Lesson{refuse(shipped, noon, "jobs", "reading")}, DriftCorrected, "reading", ""},
		{"corrected and confirmed", corrected, []Lesson{refuse(shipped, noon, "jobs", "reading"), agree(corrected, later)}, DriftCorrected, "reading", ""},
		{"corrected otherwise", otherwise, []Lesson{refuse(shipped, noon, "jobs", "reading")}, DriftUndecided, "", "none yet about the one of your routes file"},
		{"corrected otherwise, and wrong", otherwise, []Lesson{refuse(shipped, noon, "jobs", "reading"), refuse(otherwise, later, "sql", "reading")}, DriftWrong, "reading", ""},
		{"locked", locked, []Lesson{refuse(shipped, noon, "jobs", "reading")}, DriftUndecided, "", "none yet about the one of your routes file"},
		{"locked for everyone", account, []Lesson{refuse(shipped, noon, "jobs", "reading")}, DriftUndecided, "", "none yet about the one of your routes file"},
		{"no longer corrected", shipped, []Lesson{refuse(otherwise, noon, "sql", "jobs", "reading")}, DriftWrong, "jobs,reading", ""},
		{"corrected otherwise, and confirmed", otherwise, []Lesson{refuse(shipped, noon, "jobs", "reading"), agree(otherwise, later)}, DriftCorrected, "sql", ""},
		{"corrected, and wrong again", corrected, []Lesson{refuse(shipped, noon, "jobs", "reading"), refuse(corrected, later, "reading", "sql")}, DriftWrong, "reading+sql", ""},
		{"corrected, and the workspace changed", corrected, []Lesson{refuse(shipped, noon, "jobs", "reading"), pass(corrected, later, "files")}, DriftWrong, "files,reading", ""},
		{"corrected, and the workspace wants what it did before", corrected, []Lesson{refuse(shipped, noon, "jobs", "reading"), refuse(corrected, later, "reading", "jobs")}, DriftWrong, "jobs+reading", ""},
		{"doubtful, and both are right", either, []Lesson{refuse(either, noon, "x", "jobs", "reading")}, DriftWrong, "jobs,reading", ""},
		{"doubtful no more", proven, []Lesson{refuse(either, noon, "x", "jobs", "reading")}, DriftCorrected, "jobs,reading", ""},
		{"an optional row stays so", optional, []Lesson{refuse(optional, noon, "jobs", "reading")}, DriftWrong, "reading,optional", ""},
		{"unmapped", shipped, []Lesson{unmapped}, DriftUndecided, "", "audit records of the operation unmapped"},
		{"another spelling", shipped, []Lesson{{Operation: spelled, Disagreed: 1, First: noon, Last: noon}}, DriftUndecided, "", "audit records of the operation jobs.List"},
		{"a row of another version of the map", shipped, []Lesson{gone}, DriftUndecided, "", "no such row any more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := NewDrift(test.lessons, test.inForce, later)
			if len(d.Rows) != 1 || d.Operations != 1 {
				t.Fatalf("%+v", d)
			}
			r := &d.Rows[0]
			if r.State != test.state || r.Correction != test.right || !strings.Contains(r.Problem, test.problem) || (r.Problem == "") != (test.problem == "") {
				t.Errorf("%+v", r)
			}
			if rows, err := d.Corrections(); err != nil || len(rows) != len(d.in(DriftWrong)) {
				t.Errorf("%v %v", rows, err)
			}
		})
	}
}

// TestNewDriftOfOneOperation: the rows of one operation need the same, so a correction of
// one must not contradict what was learned about another.
func TestNewDriftOfOneOperation(t *testing.T) {
	const one, other = "/api/2.0/preview/scim/v2/Me", "/api/2.0/scim/v2/Me"
	lesson := func(template string, disagreed uint64) Lesson {
		return Lesson{Operation: rowOf(t, scopes.Default(), "GET", template), Disagreed: disagreed, First: noon, Last: noon}
	}
	refused := func(template, named string) Lesson {
		l := lesson(template, 1)
		l.Refused = []Refusal{{Named: []string{named}, Held: []string{"jobs"}, Count: 1}}
		return l
	}
	passed := func(template string, held ...string) Lesson {
		l := lesson(template, 0)
		l.Agreed, l.Passed = 1, []Success{{Held: held, Count: 1}}
		return l
	}
	for _, test := range []struct {
		name  string
		other Lesson
		right string // empty for undecided
	}{
		{"both are refused alike", refused(other, "scim"), "scim"},
		{"what passes has the scope", passed(other, "jobs", "scim"), "scim"},
		{"what passes does not", passed(other, "jobs"), ""},
		{"they are refused differently", refused(other, "identity"), ""},
	} {
		d := NewDrift([]Lesson{refused(one, "scim"), test.other}, scopes.Default(), noon)
		for _, r := range d.Rows {
			if r.Disagreed > 0 && (r.Correction != test.right || (r.State == DriftUndecided) != (test.right == "")) {
				t.Errorf("%s: %+v", test.name, r)
			}
		}
	}
}

// TestNewDriftCounts: rows of two lessons are counted together, and two operations apart.
func TestNewDriftCounts(t *testing.T) {
	sql := rowOf(t, scopes.Default(), "GET", "/api/2.0/sql/warehouses")
	jobs := rowOf(t, scopes.Default(), "GET", "/api/2.2/jobs/list")
	graded := jobs
	graded.Evidence = scopes.Documented
	d := NewDrift([]Lesson{
		{Operation: jobs, Agreed: 2, First: noon, Last: noon},
		{Operation: sql, Agreed: 1, First: noon, Last: noon},
		{Operation: graded, Agreed: 3, First: noon.Add(-day), Last: noon.Add(day)},
	}, scopes.Default(), noon)
	if d.Operations != 2 || d.Agreed != 6 || d.Disagreed != 0 || len(d.Rows) != 2 || d.Shipped != scopes.Default().Version() {
		t.Fatalf("%+v", d)
	}
	if r := d.Rows[1]; r.Operation != "jobs.List" || r.Agreed != 5 || !r.First.Equal(noon.Add(-day)) || !r.Last.Equal(noon.Add(day)) || r.ShippedNeeds != "jobs" || r.Evidence != jobs.Evidence {
		t.Errorf("%+v", r)
	}
}

// TestConfirmed: reports and recommendations say how often a row was confirmed.
func TestConfirmed(t *testing.T) {
	jobs := rowOf(t, scopes.Default(), "GET", "/api/2.2/jobs/list")
	jobs.Source = ""
	former := jobs
	former.AnyOf = []string{"sql"}
	token := Token{ID: id("t"), First: noon, Last: noon, Calls: 30, ActiveDays: 1, Uses: []Use{{Operation: jobs, Calls: 30, First: noon, Last: noon}}}
	state := State{Since: noon, Tokens: []Token{token}, Lessons: []Lesson{
		{Operation: former, Agreed: 9, Disagreed: 4, First: noon.Add(-day), Last: noon.Add(-day)},
		{Operation: jobs, Agreed: 1204, First: noon, Last: noon},
		{Operation: rowOf(t, scopes.Default(), "GET", "/api/2.0/sql/warehouses"), Agreed: 1, Disagreed: 1, First: noon, Last: noon},
	}}
	r, err := state.Recommend(token.ID, TokenFacts{Scopes: []string{"jobs"}}, 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	var text, table, doc strings.Builder
	report := NewReport(state, nil, noon)
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "; "+string(jobs.Evidence)+", confirmed here 1,204 times\n") {
		t.Errorf("%v %s", err, text.String())
	}
	if err := report.WriteTable(&table); err != nil || !strings.Contains(table.String(), "\nThe workspace's answers confirm the map for 1 operation, and contradict it for 1: see scopegate scopes drift.\n") {
		t.Errorf("%v %s", err, table.String())
	}
	if err := report.WriteJSON(&doc); err != nil || !strings.Contains(doc.String(), `"confirmed_here": 1204`) || !strings.Contains(doc.String(), `"contradicted": 1`) {
		t.Errorf("%v %s", err, doc.String())
	}
	for n, want := range map[uint64]string{1: "once", 12: "12 times", 123: "123 times", 1234: "1,234 times", 1234567: "1,234,567 times"} {
		if got := ConfirmedHere(n); got != "confirmed here "+want {
			t.Error(got)
		}
	}
}

// TestNewDriftUpstream: what is said of rows that the gateway ships with follows from answers
// about these rows, whatever rows of the operator's own are or were in force.
func TestNewDriftUpstream(t *testing.T) {
	const jobs = "/api/2.2/jobs/list"
	shipped, own := scopes.Default(), mapOf(t, "GET\t"+jobs+"\tacme-payroll,sql\tdocumented\tjobs.List\tours")
	passed := func(c *scopes.Catalog, held string, disagreed uint64) Lesson {
		return Lesson{Operation: rowOf(t, c, "GET", jobs), Agreed: 1 - disagreed, Disagreed: disagreed, First: noon, Last: noon, Passed: []Success{{Held: []string{held}, Count: 1}}}
	}
	refused := passed(shipped, "sql", 1)
	refused.Passed, refused.Refused = nil, []Refusal{{Named: []string{"sql"}, Held: []string{"jobs"}, Count: 1}}
	for _, test := range []struct {
		name    string
		lessons []Lesson
		right   string // empty if there is nothing to report
	}{
		{"the operator's row is wrong", []Lesson{passed(own, "jobs", 1)}, ""},
		{"the operator's row is wrong, and the shipped one right", []Lesson{passed(own, "jobs", 1), passed(shipped, "jobs", 0)}, ""},
		{"the shipped row is wrong", []Lesson{refused}, "sql"},
		{"the shipped row is wrong, and the operator's confirmed", []Lesson{refused, passed(own, "sql", 0)}, "sql"},
		{"both are wrong", []Lesson{passed(shipped, "files", 1), passed(own, "files", 1), passed(own, "acme-books", 1)}, "files,jobs"},
	} {
		d := NewDrift(test.lessons, own, noon)
		var out strings.Builder
		if err := d.WriteUpstream(&out); err != nil || strings.Contains(out.String(), "acme") {
			t.Errorf("%s: %v %s", test.name, err, out.String())
		}
		if len(d.Upstream) == 0 && test.right == "" {
			continue
		}
		if len(d.Upstream) != 1 || d.Upstream[0].Correction != test.right || d.Upstream[0].Needs != "jobs" {
			t.Errorf("%s: %+v", test.name, d.Upstream)
		}
	}
}
