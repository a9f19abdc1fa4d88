package recent

import (
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

func TestClasses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		decision judge.Decision
		enforced bool
		reason   policy.Reason
		outcome  audit.Outcome
		want     Classes
	}{
		{"allowed", judge.Allow, true, policy.Permitted, audit.Answered, Classes{Allowed: 1}},
		{"no token needed", judge.Public, true, policy.PublicRoute, audit.Answered, Classes{Allowed: 1}},
		{"client left", judge.Allow, true, policy.Permitted, audit.ClientLeft, Classes{Allowed: 1}},
		{"refused", judge.Deny, true, policy.MissingScope, audit.Answered, Classes{Refused: 1}},
		{"rehearsed", judge.Deny, false, policy.MissingScope, audit.Answered, Classes{WouldRefuse: 1}},
		{"rehearsed, no answer", judge.Deny, false, policy.MissingScope, audit.UpstreamTimeout, Classes{Unavailable: 1}},
		{"no answer", judge.Allow, true, policy.Permitted, audit.UpstreamUnreachable, Classes{Unavailable: 1}},
		{"no look-up", judge.Deny, true, policy.DirectoryUnavailable, audit.Answered, Classes{Unavailable: 1}},
		{"no look-up, observed", judge.Deny, false, policy.DirectoryUnavailable, audit.Answered, Classes{Unavailable: 1}},
		{"open", judge.Allow, true, policy.Permitted, audit.Open, Classes{}},
	} {
		g := New(Size, now)
		r := record(1, test.outcome)
		r.Time, r.Decision, r.Enforced, r.Reason = now().Add(-30*time.Minute), test.decision, test.enforced, test.reason
		g.Put(r)
		got := g.Minutes().Minutes
		if len(got) != 60 || got[29].Classes != test.want || !got[29].Begins.Equal(r.Time) || !got[59].Begins.Equal(now()) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestMinutes(t *testing.T) {
	t.Parallel()
	clock := arrived
	g := New(Size, func() time.Time { return clock })
	put := func(at time.Time, reason policy.Reason, operation string, enforced bool) {
		r := record(1, audit.Answered)
		r.Time, r.Duration, r.Reason, r.Enforced = at, 0, reason, enforced
		r.Operation = &scopes.Operation{Name: operation}
		g.Put(r)
	}
	sum := func() (all Classes) {
		for _, m := range g.Minutes().Minutes {
			all.Refused += m.Refused
			all.WouldRefuse += m.WouldRefuse
		}
		return all
	}
	for range 3 {
		put(clock, policy.MissingScope, "jobs.List", true)
	}
	clock = clock.Add(30 * time.Minute)
	put(clock, policy.PolicyDenied, "jobs.RunNow", false)
	put(clock, policy.MissingScope, "jobs.List", true)
	optional := record(1, audit.Answered)
	optional.Time, optional.Operation = clock, &scopes.Operation{Name: "telemetry", Optional: true}
	g.Put(optional)
	want := []Refusal{{policy.MissingScope, "jobs.List", true, 4}, {policy.PolicyDenied, "jobs.RunNow", false, 1}}
	if got := g.Minutes().Refusals; fmt.Sprint(got) != fmt.Sprint(want) || sum() != (Classes{Refused: 5, WouldRefuse: 1}) {
		t.Errorf("got %v, %+v", got, sum())
	}
	clock = arrived.Add(time.Hour) // the first minute has passed
	want[0].Count = 1
	if got := g.Minutes().Refusals; fmt.Sprint(got) != fmt.Sprint(want) || sum() != (Classes{Refused: 2, WouldRefuse: 1}) {
		t.Errorf("an hour later: got %v, %+v", got, sum())
	}
	put(clock.Add(-15*time.Minute), policy.MissingScope, "jobs.List", true) // late
	if sum() != (Classes{Refused: 3, WouldRefuse: 1}) {
		t.Errorf("a late record: %+v", sum())
	}
	clock = arrived.Add(24 * time.Hour)
	if got := g.Minutes(); len(got.Refusals) != 0 || sum() != (Classes{}) || len(g.minutes.refusals) != 0 {
		t.Errorf("a day later: %+v", got)
	}
	clock = arrived // the clock was set back
	put(clock, policy.MissingScope, "jobs.List", true)
	if sum() != (Classes{Refused: 1}) {
		t.Errorf("the clock was set back: %+v", sum())
	}
}

// TestRefusalsAreBounded: however many operations a client finds.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
	put := func(n int) {
		r := record(1, audit.Answered)
		r.Time, r.Operation = now(), &scopes.Operation{Name: fmt.Sprint(n)}
		g.Put(r)
	}
	for n := range 1000 {
		put(n)
	}
	put(7)
	if got := g.Minutes(); len(got.Refusals) != maxRefusals || got.Refusals[0] != (Refusal{policy.MissingScope, "7", true, 2}) || got.Others != 1000-maxRefusals {
		t.Errorf("%d kinds, first %+v, %d others", len(got.Refusals), got.Refusals[0], got.Others)
	}
}
