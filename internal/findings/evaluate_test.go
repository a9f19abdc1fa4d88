package findings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	workspaceURL = "https://w.example.com"
	days         = 24 * time.Hour
)

func idOf(n int) string { return tokens.IDOf(fmt.Sprint("token ", n)).String() }

// fine is a token about which there is nothing to say.
func fine(n int) usage.ListedToken {
	return usage.ListedToken{
		ID: idOf(n), OwnerID: 7, OwnerName: "etl@example.com", Creator: "admin@example.com", LastUsed: now.Add(-2 * days),
		TokenFacts: usage.TokenFacts{Scopes: []string{"jobs"}, Created: now.Add(-100 * days), Expires: now.Add(60 * days)},
	}
}

// calls is what a token was seen to do: so many calls of jobs.List a day for ten days.
func calls(n, daily int, change func(*usage.Token)) usage.Token {
	first, last := now.Add(-9*days), now.Add(-time.Hour)
	readings, err := scopes.Default().Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		panic(err)
	}
	count := uint64(10 * daily)
	t := usage.Token{ID: idOf(n), First: first, Last: last, ActiveDays: 10, Calls: count, Uses: []usage.Use{{Operation: *readings[0].Operation, Calls: count, First: first, Last: last}}}
	if change != nil {
		change(&t)
	}
	return t
}

// situation is an input in a few words.
type situation struct {
	listed  []usage.ListedToken // nil: the list is unavailable
	state   usage.State
	lessons []usage.Lesson
	gone    func(int64) (bool, bool)
	faulty  []string
}

func (s situation) input() *Input {
	if s.state.Since.IsZero() {
		s.state.Since = now.Add(-200 * days)
	}
	return &Input{Report: usage.NewReport(s.state, s.listed, now), Drift: usage.NewDrift(s.lessons, scopes.Default(), now), OwnerGone: s.gone, Faulty: s.faulty}
}

func one(change func(*usage.ListedToken)) []usage.ListedToken {
	t := fine(1)
	change(&t)
	return []usage.ListedToken{t}
}

// lesson is what refusals taught about a row: the workspace names sql.
func lesson() usage.Lesson {
	readings, err := scopes.Default().Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		panic(err)
	}
	return usage.Lesson{
		Operation: *readings[0].Operation, Disagreed: 3, First: now.Add(-days), Last: now,
		Refused: []usage.Refusal{{Named: []string{"sql"}, Held: []string{"jobs"}, Count: 3, First: now.Add(-days), Last: now}},
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	seen := func(t ...usage.Token) usage.State { return usage.State{Tokens: t} }
	yes := func(int64) (bool, bool) { return true, true }
	for _, test := range []struct {
		name      string
		situation situation
		want      string // kinds and severities that are found
		text      string // part of the text of the first
		undecided Kind   // of token 1
	}{
		{"nothing", situation{listed: one(func(*usage.ListedToken) {})}, "", "", ""},

		{"unscoped", situation{listed: one(func(t *usage.ListedToken) { t.Scopes = nil })}, "unscoped high", "has no scopes", ""},
		{"all-apis", situation{listed: one(func(t *usage.ListedToken) { t.Scopes = []string{"jobs", "all-apis"} })}, "unscoped high", "holds all-apis", ""},
		{"unscoped, with evidence", situation{listed: one(func(t *usage.ListedToken) { t.Scopes = nil }), state: seen(calls(1, 5, nil))}, "unscoped high", "its calls need jobs", ""},
		{"unscoped, and expired", situation{listed: one(func(t *usage.ListedToken) { t.Scopes, t.Expires = nil, now })}, "", "", ""},

		{"never expires", situation{listed: one(func(t *usage.ListedToken) { t.NeverExpires, t.Expires = true, time.Time{} })}, "never_expires medium", "created on 2025-11-21", ""},
		{"expiry unknown", situation{listed: one(func(t *usage.ListedToken) { t.Expires = time.Time{} })}, "", "", ""},

		{"unused", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = now.Add(-91 * days) })}, "unused medium", "last used on 2025-11-30", ""},
		{"unused until today", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = now.Add(-90*days + time.Hour) })}, "", "", ""},
		{"unused according to Databricks, used here", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = now.Add(-91 * days) }), state: seen(calls(1, 1, nil))}, "", "", ""},
		{"never used", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = time.Time{} })}, "unused medium", "has not been seen in use", ""},
		{"never used, young", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed, t.Created = time.Time{}, now.Add(-89*days) })}, "", "", ""},
		{"never used, recorded for a short time", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = time.Time{} }), state: usage.State{Since: now.Add(-5 * days)}}, "", "", Unused},
		{"never used, evidence unread", situation{listed: one(func(t *usage.ListedToken) { t.LastUsed = time.Time{} }), state: usage.State{Unread: []usage.Unread{{File: "x"}}}}, "", "", Unused},

		{"owner gone", situation{listed: one(func(*usage.ListedToken) {}), gone: yes}, "owner_gone high", "etl@example.com was deleted", ""},
		{"owner there", situation{listed: one(func(*usage.ListedToken) {}), gone: func(int64) (bool, bool) { return false, true }}, "", "", ""},
		{"owner not asked about", situation{listed: one(func(*usage.ListedToken) {}), gone: func(int64) (bool, bool) { return true, false }}, "", "", OwnerGone},
		{"owner unknown", situation{listed: one(func(t *usage.ListedToken) { t.OwnerID = 0 }), gone: yes}, "", "", ""},

		{"unused scopes", situation{listed: one(func(t *usage.ListedToken) { t.Scopes = []string{"jobs", "sql"} }), state: seen(calls(1, 5, nil))}, "unused_scopes low", "holds sql, and its calls need only jobs", ""},
		{"unused scopes, little evidence", situation{listed: one(func(t *usage.ListedToken) { t.Scopes = []string{"jobs", "sql"} }), state: seen(calls(1, 1, nil))}, "", "", UnusedScopes},
		{"all scopes used", situation{listed: one(func(*usage.ListedToken) {}), state: seen(calls(1, 5, nil))}, "", "", ""},

		{"near expiry", situation{listed: one(func(t *usage.ListedToken) { t.Expires = now.Add(14 * days) })}, "near_expiry medium", "ends on 2026-03-15", ""},
		{"near expiry, unused", situation{listed: one(func(t *usage.ListedToken) { t.Expires, t.LastUsed = now.Add(days), now.Add(-40*days) })}, "near_expiry low", "", ""},
		{"not near", situation{listed: one(func(t *usage.ListedToken) { t.Expires = now.Add(14*days + time.Second) })}, "", "", ""},
		{"a short life", situation{listed: one(func(t *usage.ListedToken) { t.Created, t.Expires = now.Add(-days), now.Add(13*days) })}, "", "", ""},
		{"over", situation{listed: one(func(t *usage.ListedToken) { t.Expires = now })}, "", "", ""},

		{"disagreement", situation{listed: one(func(*usage.ListedToken) {}), lessons: []usage.Lesson{lesson()}}, "map_disagreement medium", "The map says that GET /api/2.2/jobs/list needs jobs, and the workspace says sql.", ""},

		{"no list", situation{state: seen(calls(1, 5, nil))}, "", "", Unscoped},
		{"an empty list", situation{listed: []usage.ListedToken{}}, "", "", Unscoped},
		{"a faulty token", situation{listed: []usage.ListedToken{fine(2)}, faulty: []string{idOf(1)}}, "", "", NeverExpires},
		{"no usage", situation{listed: one(func(t *usage.ListedToken) { t.NeverExpires = true }), state: usage.State{Unread: []usage.Unread{{}}}}, "never_expires medium", "", RefusedOften},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := evaluate(test.situation.input(), Thresholds{}, workspaceURL, now)
			var got []string
			for _, f := range e.found {
				got = append(got, fmt.Sprint(f.Kind, " ", f.Severity))
				f.State, f.Since = New, now
				if err := f.check(); err != nil {
					t.Errorf("%s: %v", f.Key, err)
				}
				if f.Do == "" || strings.Contains(f.Do+f.Text, "%!") || f.Workspace != workspaceURL {
					t.Errorf("%+v", f)
				}
			}
			if strings.Join(got, ", ") != test.want {
				t.Fatalf("found %q, want %q", got, test.want)
			}
			if test.want != "" && !strings.Contains(e.found[0].Text, test.text) {
				t.Errorf("%q does not say %q", e.found[0].Text, test.text)
			}
			for _, kind := range Kinds {
				about := Finding{Kind: kind, TokenID: idOf(1), Key: keyOf(kind, idOf(1))}
				got := e.undecided(&about)
				if kind == test.undecided && !got || test.undecided == "" && got {
					t.Errorf("undecided about %s: %v", kind, got)
				}
			}
		})
	}
}

// TestMissing: what cannot be judged is said.
func TestMissing(t *testing.T) {
	t.Parallel()
	e := evaluate(situation{state: usage.State{Unread: []usage.Unread{{}}}}.input(), Thresholds{}, workspaceURL, now)
	for _, kind := range Kinds {
		if !e.kinds[kind] {
			t.Errorf("%s is decided without anything to judge by", kind)
		}
	}
	if len(e.notes) != 2 {
		t.Errorf("it says %q", e.notes)
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	in := situation{listed: one(func(t *usage.ListedToken) { t.LastUsed, t.Expires = now.Add(-10*days), now.Add(30*days) })}.input()
	var got []Kind
	for _, f := range evaluate(in, Thresholds{Unused: 5 * days, NearExpiry: 31 * days}, "", now).found {
		got = append(got, f.Kind)
	}
	if !slices.Equal(got, []Kind{Unused, NearExpiry}) {
		t.Errorf("found %v", got)
	}
}

// TestHostileTexts: names that the workspace gives are cut and escaped, and a token's value is
// hidden.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	secret := "dapi" + strings.Repeat("0123456789abcdef", 2)
	in := situation{gone: func(int64) (bool, bool) { return true, true }, listed: one(func(t *usage.ListedToken) {
		t.OwnerName, t.Creator = "\x1b[31m"+secret+strings.Repeat("x", 2000), secret
		t.Scopes = []string{"all-apis", secret}
	})}.input()
	s := newStates()
	e := evaluate(in, Thresholds{}, workspaceURL, now)
	s.apply(&e, now)
	data, err := marshal(&s, "w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unmarshal(data, "w"); err != nil {
		t.Error(err)
	}
	if strings.Contains(string(data), secret) || strings.Contains(string(data), `\u001b`) {
		t.Errorf("it says %s", data)
	}
}
