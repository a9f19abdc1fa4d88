package findings

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// TestRefusedOften: what counts is how many refusals there were lately.
func TestRefusedOften(t *testing.T) {
	t.Parallel()
	s := newStates()
	at := func(hours int, denied uint64) State {
		t.Helper()
		moment := now.Add(time.Duration(hours) * time.Hour)
		seen := calls(1, 100, func(t *usage.Token) { t.Denied, t.WouldDeny, t.Last = denied/2, denied-denied/2, moment })
		listed := fine(1)
		listed.Expires = now.Add(900 * days)
		in := &Input{Report: usage.NewReport(usage.State{Since: now.Add(-200 * days), Tokens: []usage.Token{seen}}, []usage.ListedToken{listed}, moment)}
		e := evaluate(in, Thresholds{}, workspaceURL, moment)
		s.apply(&e, moment)
		return s.findings[keyOf(RefusedOften, idOf(1))].State
	}
	for _, step := range []struct {
		name   string
		hours  int
		denied uint64
		want   State
	}{
		{"a few a day so far", 0, 90, ""},
		{"some more", 1, 95, ""},
		{"many", 2, 115, New},
		{"no more", 26, 115, New},
		{"none for two days", 51, 115, Resolved},
		{"none for longer", 60, 115, Resolved},
		{"many again", 61, 140, New},
		{"less than before, as after a lost file", 62, 20, Resolved},
		{"many since", 63, 41, New},
	} {
		if got := at(step.hours, step.denied); got != step.want {
			t.Errorf("%s: %q, want %q; samples %+v", step.name, got, step.want, s.samples)
		}
	}
}

// TestFirstSight: nothing is known of the days before, so the average of a day counts.
func TestFirstSight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		denied uint64
		last   time.Time
		want   bool
	}{
		{"many a day", 200, now.Add(-time.Hour), true},
		{"few a day", 170, now.Add(-time.Hour), false},
		{"many, some days ago", 900, now.Add(-2 * days), false},
	} {
		s := newStates()
		seen := calls(1, 100, func(t *usage.Token) { t.Denied, t.Last = test.denied, test.last })
		e := evaluate(situation{listed: []usage.ListedToken{fine(1)}, state: usage.State{Tokens: []usage.Token{seen}}}.input(), Thresholds{}, workspaceURL, now)
		s.apply(&e, now)
		if _, got := s.findings[keyOf(RefusedOften, idOf(1))]; got != test.want {
			t.Errorf("%s: found is %v", test.name, got)
		}
	}
}

// TestSamplesEnd: a token that is gone is not sampled any more.
func TestSamplesEnd(t *testing.T) {
	t.Parallel()
	s := newStates()
	seen := calls(1, 100, func(t *usage.Token) { t.Denied = 300 })
	state := usage.State{Tokens: []usage.Token{seen}}
	for _, listed := range [][]usage.ListedToken{{fine(1)}, {fine(2)}} {
		e := evaluate(situation{listed: listed, state: state}.input(), Thresholds{}, workspaceURL, now)
		s.apply(&e, now)
	}
	if f := s.findings[keyOf(RefusedOften, idOf(1))]; len(s.samples) != 0 || f.State != Resolved {
		t.Errorf("%d samples, %s", len(s.samples), f.State)
	}
}
