package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
)

// TestOverviewMode: the page says first whether anything is refused at all.
func TestOverviewMode(t *testing.T) {
	t.Parallel()
	enforcing := func(policies ...policy.Policy) adminapi.Judge {
		s := full(t, "text")
		s.judges[0].Rules.Policies = policies
		return s.judges[0]
	}
	observing := enforcing()
	observing.Observe = true
	for _, test := range []struct {
		name   string
		judges []adminapi.Judge
		has    string
		asks   bool // who would break
	}{
		{"enforce", []adminapi.Judge{enforcing()}, "Mode enforce: what is out of scope is refused.", false},
		{"observe", []adminapi.Judge{observing}, "Mode observe: refusals are only recorded.", true},
		{"both", []adminapi.Judge{enforcing(), observing}, "Some sites of this gateway are in mode observe", true},
		{"a rehearsed policy", []adminapi.Judge{enforcing(policy.Policy{Name: "p", Observe: true})}, "Some policies are rehearsed", true},
		{"a policy for some tokens", []adminapi.Judge{enforcing(policy.Policy{Name: "p", Percent: 10})}, "Some policies are rehearsed", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := full(t, "text")
			s.judges = test.judges
			body := get(t, s, "/").Body.String()
			if !strings.Contains(body, test.has) || strings.Contains(body, "Who would break if it enforced?") != test.asks {
				t.Errorf("it lacks %q:\n%s", test.has, body)
			}
		})
	}
}

// TestOverviewTrouble: what is wrong is said first, too.
func TestOverviewTrouble(t *testing.T) {
	t.Parallel()
	s := full(t, "text")
	if body := get(t, s, "/").Body.String(); !strings.Contains(body, "Something is wrong") {
		t.Errorf("it does not say that something is wrong:\n%s", body)
	}
	s.health.Ready, s.health.Workspaces, s.condition, s.workspaces = true, nil, audit.Condition{}, nil
	if body := get(t, s, "/").Body.String(); strings.Contains(body, "Something is wrong") {
		t.Errorf("it says that something is wrong:\n%s", body)
	}
}

// TestDays: a decision of another day says so.
func TestDays(t *testing.T) {
	t.Parallel()
	s := full(t, "text")
	s.ring = recent.New(recent.Size, func() time.Time { return now })
	for i, back := range []time.Duration{24 * time.Hour, time.Minute} {
		s.ring.Put(&audit.Record{Time: now.Add(-back), RequestID: requestID(i), Judgement: judge.Judgement{Decision: judge.Allow, Reason: policy.Permitted}})
	}
	body := get(t, s, "/live").Body.String()
	if !strings.Contains(body, "><small>2026-03-03</small><br>12:30:00</time>") || !strings.Contains(body, ">12:29:00</time>") {
		t.Errorf("got %s", body)
	}
}
