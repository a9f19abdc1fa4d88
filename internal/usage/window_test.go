package usage

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// usedAt returns a token that used operations on given days before noon: first and
// last.
func usedAt(t *testing.T, spans map[string][2]int) Token {
	t.Helper()
	r := newRecorder(Options{Now: func() time.Time { return noon.Add(-400 * day) }})
	for text, span := range spans {
		operation := useOf(text).Operation
		for _, days := range span {
			r.Seen(allowed(id("t"), &operation, noon.Add(-time.Duration(days)*day)))
		}
	}
	token, ok := r.Token(id("t"))
	if !ok {
		t.Fatal("the recorder does not know the token")
	}
	return token
}

// TestRecommendWithinIsNoEvidence: what a token did long ago does not make up for what
// it does now, so that nothing is applied unasked because of it.
func TestRecommendWithinIsNoEvidence(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	token := Token{ID: id("t"), First: noon.Add(-300 * day), Last: noon.Add(-day), ActiveDays: 200, Calls: 3000, Denied: 5, Uses: []Use{
		{Operation: jobs, Calls: 3000, Denied: 5, First: noon.Add(-300 * day), Last: noon.Add(-day)},
	}}
	r := recommendAfter(noon.Add(-90*day), token, TokenFacts{Scopes: []string{"jobs", "sql"}}, noon, "")
	if r.Evidence.Enough || r.Evidence.Calls > 1 || r.Evidence.Days != 1 || r.Evidence.ActiveDays != 1 {
		t.Errorf("evidence: %s", r.Evidence)
	}
	if !slices.Equal(r.Scopes, []string{"jobs"}) || r.Change == nil {
		t.Errorf("scopes %q", r.Scopes)
	}
}

func TestRecommendWithin(t *testing.T) {
	t.Parallel()
	seen := map[string][2]int{"a: jobs": {300, 2}, "b: sql": {200, 100}, "c: scim": {80, 80}}
	for _, test := range []struct {
		name     string
		window   time.Duration
		scopes   string
		older    string
		evidence string
	}{
		{"everything", 0, "jobs scim sql", "", "6 calls over 299 days"},
		{"a window longer than all that was seen", 400 * day, "jobs scim sql", "", "6 calls over 299 days"},
		{"ninety days", 90 * day, "jobs scim", "b", "3 calls over 79 days"},
		{"on the day", 80 * day, "jobs scim", "b", "3 calls over 79 days"},
		{"a month", 30 * day, "jobs", "b c", "1 call over 1 day"},
		{"nothing in it", time.Hour, "", "a b c", "never seen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := TokenFacts{Scopes: []string{"jobs", "scim", "sql"}}
			state := State{Tokens: []Token{usedAt(t, seen)}}
			r, err := state.Recommend(id("t"), facts, test.window, noon)
			if err != nil {
				t.Fatal(err)
			}
			var older []string
			for _, u := range r.Older {
				older = append(older, u.Operation.Name)
			}
			if got := strings.Join(r.Scopes, " "); got != test.scopes {
				t.Errorf("scopes %q, want %q", got, test.scopes)
			}
			if got := strings.Join(older, " "); len(older) != len(strings.Fields(test.older)) || got != test.older {
				t.Errorf("left out %q, want %q", got, test.older)
			}
			if got := r.Evidence.String(); !strings.HasPrefix(got, test.evidence) {
				t.Errorf("evidence %q, want %q", got, test.evidence)
			}
			var text strings.Builder
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if said := strings.Contains(text.String(), "and not counted\n"); said != (test.older != "") {
				t.Errorf("the text is\n%s", text.String())
			}
			if test.scopes == "" && (r.Change != nil || !strings.Contains(text.String(), "evidence   not used since 2")) {
				t.Errorf("the text is\n%s", text.String())
			}
		})
	}
}
