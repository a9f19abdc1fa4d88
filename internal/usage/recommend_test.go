package usage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func TestRecommend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		seen []string
		held string
		want string // scopes / keep / drop / instead / add / refused / what those need
	}{
		{"narrower", []string{"a: jobs"}, "jobs sql", "jobs/jobs/sql////"},
		{"just right", []string{"a: jobs", "b: sql"}, "jobs sql", "jobs sql/jobs sql/////"},
		{"a legacy token", []string{"a: jobs", "b: sql"}, "", "jobs sql///jobs sql///"},
		{"all-apis", []string{"a: jobs"}, "all-apis jobs", "jobs/jobs/all-apis////"},
		{"all-apis alone", []string{"a: jobs"}, "all-apis", "jobs//all-apis/jobs///"},
		{"all-apis that is needed", []string{"a: jobs", "u: unmapped"}, "all-apis", "all-apis/all-apis/////"},
		{"a legacy token that needs all-apis", []string{"u: unmapped"}, "", "all-apis///all-apis///"},
		{"one that is held does for two", []string{"a: jobs sql", "b: sql scim"}, "jobs sql scim", "sql/sql/jobs scim////"},
		{"never a scope that is not held", []string{"a: jobs sql", "b: sql scim"}, "jobs scim", "jobs scim/jobs scim/////"},
		{"a rehearsed refusal", []string{"a: jobs", "would b: sql"}, "jobs", "jobs/jobs///sql//"},
		{"a rehearsed refusal of a legacy token", []string{"would a: jobs"}, "", "jobs///jobs///"},
		{"a rehearsed refusal by a policy", []string{"would a: jobs"}, "jobs sql", "jobs/jobs/sql////"},
		{"a rehearsed refusal for want of all-apis", []string{"a: jobs", "would u: unmapped"}, "jobs", "jobs/jobs/////"},
		{"a rehearsed refusal for want of all-apis and another", []string{"a: jobs", "would b: sql", "would u: unmapped"}, "jobs", "jobs/jobs///sql//"},
		{"a refusal", []string{"a: jobs", "refused b: sql"}, "jobs", "jobs/jobs////b/sql"},
		{"a refusal of what is dropped", []string{"a: jobs", "refused b: sql"}, "jobs sql", "jobs/jobs/sql///b/"},
		{"account-level", []string{"a: jobs", "would b: account"}, "jobs", "jobs/jobs////b/"},
		{"together", []string{"a: jobs+sql"}, "jobs sql scim", "jobs sql/jobs sql/scim////"},
		{"together, of a legacy token", []string{"a: jobs+sql scim+x+y"}, "", "jobs sql///jobs sql///"},
		{"a rehearsed refusal for want of one of two", []string{"a: jobs", "would b: jobs+sql"}, "jobs", "jobs/jobs///sql//"},
		{"a rehearsed refusal for want of one of two, and nothing else", []string{"would b: jobs+sql"}, "jobs scim", "jobs/jobs/scim//sql//"},
		{"doubtful: what is held stays", []string{"a: doubtful jobs sql"}, "jobs sql scim", "jobs sql/jobs sql/scim////"},
		{"doubtful: one of them is held", []string{"a: doubtful jobs sql"}, "sql scim", "sql/sql/scim////"},
		{"doubtful: refused", []string{"a: scim", "refused b: doubtful jobs sql"}, "scim", "scim/scim////b/jobs"},
		{"optional calls need nothing", []string{"a: jobs", "b: optional sql"}, "jobs sql", "jobs/jobs/sql////"},
		{"optional calls, refused", []string{"a: jobs", "refused b: optional all-apis", "would c: optional sql"}, "jobs", "jobs/jobs/////"},
		{"optional calls of a legacy token", []string{"a: jobs", "b: optional all-apis"}, "", "jobs///jobs///"},
		{"who am I", []string{"a: *"}, "y x", "x/x/y////"},
		{"nothing seen", nil, "jobs", "//////"},
		{"public alone", []string{"a: public"}, "jobs", "//////"},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := TokenFacts{Scopes: strings.Fields(test.held)}
			r := recommend(seenToken(test.seen...), facts, noon, "")
			refused := []string{}
			for _, u := range r.Refused {
				refused = append(refused, u.Operation.Name)
			}
			parts := make([]string, 0, 7)
			for _, part := range [][]string{r.Scopes, r.Keep, r.Drop, r.Instead, r.addNames(), refused, r.RefusedNeed} {
				parts = append(parts, strings.Join(part, " "))
			}
			if got := strings.Join(parts, "/"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			checkRecommendation(t, r, test.seen)
		})
	}
}

// checkRecommendation checks what must be true for any input.
func checkRecommendation(t *testing.T, r Recommendation, seen []string) {
	t.Helper()
	if r.Change != nil {
		if len(r.Change.Scopes) == 0 {
			t.Error("the change would give the token everything")
		}
		for _, scope := range r.Change.Scopes {
			if !r.Facts.Unscoped() && !slices.Contains(r.Facts.Scopes, scope) {
				t.Errorf("the change widens the token by %s", scope)
			}
		}
	}
	for _, text := range seen {
		u := useOf(text)
		if o := &u.Operation; u.Passed() && r.Facts.permits(o) && o.Access != scopes.Public && !o.Optional && !o.Permits(r.Scopes) {
			t.Errorf("%s works today and would break", text)
		}
	}
	for _, c := range []*Change{r.Change, r.ChangeWithAdd} {
		if c != nil && slices.Contains(c.Scopes, scopes.AllAPIs) {
			t.Error("a change gives the token everything")
		}
	}
	if unmapped := slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, "unmapped") }); unmapped != (r.AllAPIs != nil) {
		t.Errorf("all-apis: %+v", r.AllAPIs)
	}
	if (len(r.Add) > 0) != (r.ChangeWithAdd != nil) {
		t.Error("what is to add has no change of its own")
	}
	if data, err := json.Marshal(r); err != nil || strings.Contains(string(data), ":null") {
		t.Errorf("%s %v", data, err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || strings.Contains(text.String(), "%!") {
		t.Errorf("%s %v", &text, err)
	}
}

func TestRecommendAutoscope(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		state string
		facts TokenFacts
		want  string // agree more less covers, known breaks
	}{
		{"agrees", "AUTOSCOPE_STATE_RUNNING", TokenFacts{InferredScopes: []string{"x", "jobs"}}, "true [] [] true, true []"},
		{"has more", "running", TokenFacts{InferredScopes: []string{"jobs", "x", "scim"}}, "false [scim] [] true, true []"},
		{"has less", "RUNNING", TokenFacts{InferredScopes: []string{"jobs"}}, "false [] [x] false, true [b]"},
		{"chose another of equals", "RUNNING", TokenFacts{Scopes: []string{"all-apis", "jobs", "x"}, InferredScopes: []string{"jobs", "y"}}, "false [y] [x] true, true []"},
		{"decides between equals of a legacy token", "RUNNING", TokenFacts{InferredScopes: []string{"jobs", "y"}}, "true [] [] true, true []"},
		{"has nothing yet", "RUNNING", TokenFacts{}, ", false []"},
		{"completed", "AUTOSCOPE_STATE_COMPLETED", TokenFacts{InferredScopes: []string{"jobs"}}, "false [] [x] false, "},
		{"plays no part", "", TokenFacts{}, ", "},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.facts.AutoscopeState = test.state
			if test.facts.Scopes == nil {
				test.facts.Scopes = []string{"all-apis"}
			}
			r := recommend(seenToken("a: jobs", "b: x y"), test.facts, noon, "")
			got := ""
			if a := r.Inferred; a != nil {
				got = fmt.Sprintf("%v %v %v %v", a.Agree, a.More, a.Less, a.Covers)
			}
			got += ", "
			if f := r.Forecast; f != nil {
				names := []string{}
				for _, u := range f.Breaks {
					names = append(names, u.Operation.Name)
				}
				got += fmt.Sprintf("%v %v", f.Known, names)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	good := Token{First: at("2026-07-01T23:00:00Z"), Last: at("2026-07-07T01:00:00Z"), ActiveDays: 7, Calls: 20}
	for _, test := range []struct {
		name   string
		change func(*Token)
		want   string
	}{
		{"enough", nil, "20 calls over 7 days (7 of them active), 2026-07-01 to 2026-07-07"},
		{"never seen", func(k *Token) { *k = Token{} }, "never seen"},
		{"six days", func(k *Token) { k.Last = at("2026-07-06T23:59:00Z") }, "20 calls over 6 days (7 of them active), 2026-07-01 to 2026-07-06: not enough evidence yet (6 of 7 days)"},
		{"few calls", func(k *Token) { k.Calls = 19 }, "19 calls over 7 days (7 of them active), 2026-07-01 to 2026-07-07: not enough evidence yet (19 of 20 calls)"},
		{"refused calls do not count", func(k *Token) { k.Denied = 1 }, "19 calls over 7 days (7 of them active), 2026-07-01 to 2026-07-07: not enough evidence yet (19 of 20 calls)"},
		{"rehearsed refusals do", func(k *Token) { k.WouldDeny = 20 }, "20 calls over 7 days (7 of them active), 2026-07-01 to 2026-07-07"},
		{"cut", func(k *Token) { k.Cut = Cut{Entries: 2, Calls: 9, Since: noon} }, "20 calls over 7 days (7 of them active), 2026-07-01 to 2026-07-07: not enough evidence yet (2 operations dropped since 2026-07-01)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := good
			if test.change != nil {
				test.change(&k)
			}
			if got := evidenceOf(k, (&State{}).doubt(&k, time.Time{}, time.Time{})).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	c := NewChange(id("t"), []string{"jobs", "sql"})
	const body = `{"token":{"scopes":["jobs","sql"]},"update_mask":"scopes"}`
	if string(c.Body) != body || c.Method != "PATCH" || c.Path != "/api/2.0/token-management/tokens/"+id("t") {
		t.Errorf("got %+v", c)
	}
	if want := "databricks token-management update-token-management " + id("t") + " --json '" + body + "'"; c.CLI != want {
		t.Errorf("got  %s\nwant %s", c.CLI, want)
	}
	if want := "databricks api patch /api/2.0/token-management/tokens/" + id("t") + " --json '" + body + "'"; c.AnyCLI != want {
		t.Errorf("got  %s\nwant %s", c.AnyCLI, want)
	}
	hostile := NewChange(id("t"), []string{`'; rm -rf "$HOME" #`})
	if strings.Count(hostile.CLI, "'") != 2 {
		t.Errorf("the shell would run %s", hostile.CLI)
	}
	_, quoted, _ := strings.Cut(hostile.CLI, "'")
	var back changeBody
	if err := json.Unmarshal([]byte(strings.TrimSuffix(quoted, "'")), &back); err != nil || back.Token.Scopes[0] != `'; rm -rf "$HOME" #` {
		t.Errorf("got %+v, %v", back, err)
	}
	if NewChange(id("t"), nil) != nil || NewChange("$(reboot)", []string{"jobs"}) != nil {
		t.Error("a change that must not be was made")
	}
}

// TestRecommendOptional: what clients go on without is listed apart, and nowhere else.
func TestRecommendOptional(t *testing.T) {
	t.Parallel()
	seen := seenToken("a: doubtful jobs sql", "refused b: optional all-apis", "c: optional scim")
	r := recommend(seen, TokenFacts{Scopes: []string{"jobs", "sql", "scim"}}, noon, "")
	if len(r.Optional) != 2 || len(r.Refused) > 0 || len(r.WouldBreak) > 0 || len(r.Add) > 0 || r.AllAPIs != nil {
		t.Errorf("got %+v", r)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"optional   clients go on without these, so no scope is recommended for them\n             GET /api/2.0/b  30 calls, ",
		"note       GET /api/2.0/a needs jobs or sql, and it is not known which of them: all are kept\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, &text)
		}
	}
	if strings.Count(text.String(), "all are kept") != 1 {
		t.Errorf("it repeats itself:\n%s", &text)
	}
}

func TestRecommendText(t *testing.T) {
	t.Parallel()
	facts := TokenFacts{AutoscopeState: "RUNNING", Scopes: []string{"all-apis"}, InferredScopes: []string{"jobs"}, Created: noon.Add(-day)}
	r := recommend(seenToken("a: jobs", "b: x y", "refused c: scim"), facts, noon, "")
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const body = `{"token":{"scopes":["jobs","x"]},"update_mask":"scopes"}`
	want := `token      ` + id("t") + `
evidence   60 calls over 11 days (8 of them active), 2026-07-01 to 2026-07-11
holds      all-apis
recommend  jobs, x
  drop     all-apis
  jobs, for
             GET /api/2.0/a  30 calls, 2026-07-01 to 2026-07-11
  x, for
             GET /api/2.0/b  30 calls, 2026-07-01 to 2026-07-11
refused    always, and not counted
             GET /api/2.0/c  30 calls, 2026-07-01 to 2026-07-11
           with scim
inferred   Databricks says jobs
             less x
autoscope  running; when it completes, these break
             GET /api/2.0/b  30 calls, 2026-07-01 to 2026-07-11
note       autoscope is running: changing the scopes by hand ends it permanently

to apply:
  databricks token-management update-token-management ` + id("t") + ` --json '` + body + `'
or PATCH /api/2.0/token-management/tokens/` + id("t") + `
  ` + body + "\n"
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
}

func TestRecommendTellsWhatWouldBreak(t *testing.T) {
	t.Parallel()
	// The token did not hold genie then, and does now.
	seen := seenToken("a: jobs", "would b: sql", "would c: genie")
	seen.Uses[0].WouldDeny, seen.Uses[0].Reason = 12, "policy_denied"
	r := recommend(seen, TokenFacts{Scopes: []string{"jobs", "genie"}}, noon, "")
	if len(r.WouldBreak) != 2 {
		t.Fatalf("got %+v", r.WouldBreak)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const want = `would break if enforced, as of these calls
             GET /api/2.0/a  12 of 30 calls, 2026-07-01 to 2026-07-11: policy_denied
             GET /api/2.0/b  30 of 30 calls, 2026-07-01 to 2026-07-11: missing_scope
`
	if !strings.Contains(text.String(), want) {
		t.Errorf("got\n%s", &text)
	}
}

func TestRecommendNeeds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		seen    []string
		facts   TokenFacts
		want    string
		example bool // a note says that the scope is an example
	}{
		{"each with its own", []string{"a: jobs", "b: sql"}, TokenFacts{}, "[jobs: a] [sql: b]", false},
		{"one for two", []string{"a: jobs", "b: jobs sql"}, TokenFacts{}, "[jobs: a b]", false},
		{"any scope and another", []string{"a: jobs", "me: *"}, TokenFacts{}, "[jobs: a]", false},
		{"any scope", []string{"me: *"}, TokenFacts{Scopes: []string{"jobs"}}, "[jobs:]", true},
		{"everything", []string{"a: unmapped"}, TokenFacts{}, "", false},
		{"refused", []string{"refused a: jobs"}, TokenFacts{}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recommend(seenToken(test.seen...), test.facts, noon, "")
			var got []string
			for _, need := range r.Needs {
				s := need.Scope + ":"
				for _, u := range need.Operations {
					s += " " + u.Operation.Name
				}
				got = append(got, "["+s+"]")
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
			if noted := strings.Contains(strings.Join(r.Notes, "\n"), "an example of a narrow scope"); noted != test.example {
				t.Errorf("notes are %q", r.Notes)
			}
		})
	}
}

func TestRecommendTextIsPlain(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[31m\u202e\u009b2J"
	r := recommend(seenToken("a: jobs"+hostile), TokenFacts{}, noon, "")
	r.Workspace, r.Owner, r.Comment = "https://w.example.com", "o"+hostile, "c"+hostile
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\u202e\u009b") {
		t.Errorf("got %q", &text)
	}
	for _, line := range []string{"workspace  https://w.example.com\n", "owner      o", "comment    c"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("it lacks %q:\n%s", line, &text)
		}
	}
}

// TestRecommendLearned: what works by the workspace's own word, and not by the map, goes on
// working.
func TestRecommendLearned(t *testing.T) {
	row, other := op("a: x"), op("b: jobs")
	use := func(o scopes.Operation) Use { return Use{Operation: o, Calls: 30, First: noon, Last: noon} }
	for _, test := range []struct {
		name    string
		held    string
		refused []Refusal
		keep    string // and nothing is added
	}{
		{"the named scope", "files jobs sql", []Refusal{{Named: []string{"sql"}, Held: []string{"x"}}}, "jobs sql"},
		{"several of them", "files jobs scim sql", []Refusal{{Named: []string{"scim", "sql"}, Held: []string{"x"}}}, "jobs scim sql"},
		{"those that are needed together", "files jobs scim sql", []Refusal{{Named: []string{"scim", "sql"}, Together: true, Held: []string{"x"}}}, "jobs scim sql"},
		{"the row's own scope, too", "files jobs sql x", []Refusal{{Named: []string{"sql"}, Held: []string{"y"}}}, "jobs x"},
	} {
		lesson := Lesson{Operation: row, Disagreed: 1, First: noon, Last: noon, Refused: test.refused}
		token := Token{ID: id("t"), First: noon, Last: noon, Calls: 60, ActiveDays: 9, Uses: []Use{use(row), use(other)}}
		state := State{Since: noon, Tokens: []Token{token}, Lessons: []Lesson{lesson}}
		facts := TokenFacts{Scopes: strings.Fields(test.held)}
		r, err := state.Recommend(token.ID, facts, 0, noon)
		if err != nil || strings.Join(r.Scopes, " ") != test.keep || len(r.Add) > 0 || r.ChangeWithAdd != nil || strings.Join(r.Drop, " ") == "" {
			t.Errorf("%s: %v %+v", test.name, err, r)
		}
		if noted := slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "as the workspace said") }); noted == slices.Contains(facts.Scopes, "x") {
			t.Errorf("%s: notes %q", test.name, r.Notes)
		}
		report := NewReport(state, []ListedToken{{ID: token.ID, TokenFacts: facts}}, noon)
		if got := report.Rows[0]; strings.Join(got.Used, " ") != test.keep || len(got.Added) > 0 {
			t.Errorf("%s: report %+v", test.name, got)
		}
	}
}
