package findings

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func unscoped(n int) Finding {
	id := idOf(n)
	return Finding{Key: keyOf(Unscoped, id), Kind: Unscoped, Severity: High, TokenID: id, Text: "text", Do: "do"}
}

// TestTransitions: each row happens after the one before.
func TestTransitions(t *testing.T) {
	t.Parallel()
	s := newStates()
	key := unscoped(1).Key
	hold := &evaluation{found: []Finding{unscoped(1)}}
	gone, unknown := &evaluation{}, &evaluation{kinds: map[Kind]bool{Unscoped: true}}
	acknowledge := func(until time.Time) *evaluation {
		if _, err := s.acknowledge(key, Acknowledgment{By: "ops", Note: "why", At: now, Until: until}); err != nil {
			t.Fatal(err)
		}
		return hold
	}
	for _, step := range []struct {
		name   string
		day    int
		e      func() *evaluation
		want   State // "" is dropped
		since  int   // day
		change Change
	}{
		{"found", 0, func() *evaluation { return hold }, New, 0, ChangeNew},
		{"still there", 1, func() *evaluation { return hold }, New, 0, ""},
		{"not known", 2, func() *evaluation { return unknown }, New, 0, ""},
		{"acknowledged", 3, func() *evaluation { return acknowledge(time.Time{}) }, Acknowledged, 0, ""},
		{"acknowledged for long", 300, func() *evaluation { return hold }, Acknowledged, 0, ""},
		{"over", 301, func() *evaluation { return gone }, Resolved, 0, ChangeResolved},
		{"still over", 330, func() *evaluation { return gone }, Resolved, 0, ""},
		{"back", 330, func() *evaluation { return hold }, New, 330, ChangeNew},
		{"acknowledged for a day", 331, func() *evaluation { return acknowledge(now.Add(332 * days)) }, Acknowledged, 330, ""},
		{"the day is over", 332, func() *evaluation { return unknown }, New, 330, ChangeNew},
		{"over again", 333, func() *evaluation { return gone }, Resolved, 330, ChangeResolved},
		{"long over, nothing known", 363, func() *evaluation { return unknown }, "", 0, ""},
		{"back after that", 400, func() *evaluation { return hold }, New, 400, ChangeNew},
	} {
		changes := s.apply(step.e(), now.Add(time.Duration(step.day)*days))
		f, ok := s.findings[key]
		if f.State != step.want || ok && !f.Since.Equal(now.Add(time.Duration(step.since)*days)) {
			t.Errorf("%s: %s since %s", step.name, f.State, f.Since)
		}
		if (f.State == Acknowledged) != (f.Acknowledged != nil) && f.State != Resolved {
			t.Errorf("%s: %s, acknowledged by %v", step.name, f.State, f.Acknowledged)
		}
		switch {
		case step.change == "" && len(changes) != 0, step.change != "" && (len(changes) != 1 || changes[0].change != step.change || changes[0].State != f.State):
			t.Errorf("%s: changes are %+v, want %q", step.name, changes, step.change)
		}
	}
}

func TestAcknowledgeWhat(t *testing.T) {
	t.Parallel()
	s := newStates()
	s.apply(&evaluation{found: []Finding{unscoped(1)}}, now)
	if _, err := s.acknowledge(unscoped(2).Key, Acknowledgment{}); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	s.apply(&evaluation{}, now)
	if _, err := s.acknowledge(unscoped(1).Key, Acknowledgment{}); !errors.Is(err, ErrResolved) {
		t.Error(err)
	}
}

// TestTextsChange: a finding that holds says what is true now, and is not new again.
func TestTextsChange(t *testing.T) {
	t.Parallel()
	s := newStates()
	s.apply(&evaluation{found: []Finding{unscoped(1)}}, now)
	later := unscoped(1)
	later.Text, later.Owner = "another text", "another owner"
	if changes := s.apply(&evaluation{found: []Finding{later}}, now.Add(time.Hour)); len(changes) != 0 {
		t.Errorf("changes are %+v", changes)
	}
	if f := s.findings[later.Key]; f.Text != later.Text || f.Owner != later.Owner || !f.Since.Equal(now) {
		t.Errorf("it is %+v", f)
	}
}

// TestTooMany: the gravest are kept, and what was resolved first goes.
func TestTooMany(t *testing.T) {
	t.Parallel()
	s := newStates()
	fill := func(from, to int, kind Kind, severity Severity) (found []Finding) {
		for i := from; i < to; i++ {
			f := unscoped(0)
			f.TokenID = fmt.Sprintf("%064x", i)
			f.Kind, f.Severity, f.Key = kind, severity, keyOf(kind, f.TokenID)
			found = append(found, f)
		}
		return found
	}
	low := fill(0, maxFindings, UnusedScopes, Low)
	s.apply(&evaluation{found: low}, now)
	s.apply(&evaluation{found: low[2:]}, now.Add(time.Hour))   // two are resolved
	s.apply(&evaluation{found: low[3:]}, now.Add(2*time.Hour)) // and a third one
	if len(s.findings) != maxFindings || s.cut != 0 {
		t.Fatalf("%d findings, %d cut", len(s.findings), s.cut)
	}
	high := fill(0, 4, OwnerGone, High)
	changes := s.apply(&evaluation{found: append(low[3:], high...)}, now.Add(3*time.Hour))
	if len(s.findings) != maxFindings || s.cut != 1 || len(changes) != 3 {
		t.Fatalf("%d findings, %d cut, %d changes", len(s.findings), s.cut, len(changes))
	}
	for i := range 3 {
		if _, there := s.findings[low[i].Key]; there {
			t.Errorf("resolved finding %d is still there", i)
		}
		if _, there := s.findings[high[i].Key]; !there {
			t.Errorf("grave finding %d is missing", i)
		}
	}
	data, err := marshal(&s, "w")
	if err != nil || len(data) > maxDocument/2 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
