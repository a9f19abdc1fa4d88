package console_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// rehearsing is a source of 30 tokens that list jobs, in front of which a policy that permits
// sql only is rehearsed for the first ten, and enforced for some percent of them.
func rehearsing(t testing.TB, percent int) *source {
	t.Helper()
	s := many(t, 30)
	by := &judge.Judge{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true, Policies: []policy.Policy{{
		Name: "sql only", Match: []policy.Condition{condition(t, "owner", "owner-0000*")}, Ceiling: []string{"sql"}, Observe: percent == 0, Percent: percent,
	}}}}
	s.judges[0].Judge = by
	s.workspaces[0].Judges = func() []*judge.Judge { return []*judge.Judge{by} }
	return s
}

func TestBreak(t *testing.T) {
	t.Parallel()
	body := get(t, rehearsing(t, 0), "/break").Body.String()
	for _, has := range []string{
		"<strong>9 tokens</strong> would break: 45 calls", "policy sql only", "owner-00009@example.com", "By policy and percentage", `<th scope="col" class="number">25 %</th>`,
	} {
		if !strings.Contains(body, has) {
			t.Errorf("it lacks %q\n%s", has, body)
		}
	}
	if strings.Contains(body, "owner-00010") {
		t.Error("it has a token that the policy does not match")
	}
}

// TestBreakPercentages: the table has the same columns for all policies, whatever is enforced
// now.
func TestBreakPercentages(t *testing.T) {
	t.Parallel()
	s := rehearsing(t, 30)
	rules := &s.workspaces[0].Judges()[0].Rules
	rules.Policies = append(rules.Policies, policy.Policy{Name: "no end", RequireExpiry: true, Observe: true})
	body := get(t, s, "/break").Body.String()
	if strings.Contains(body, `class="number">30 %</th>`) || !strings.Contains(body, `<td class="number">30 %</td>`) || strings.Count(body, "<td class=\"number\"><strong") == 0 {
		t.Errorf("got %s", body)
	}
	if !strings.Contains(body, "<strong>28 tokens</strong> would break") {
		t.Errorf("got %s", body)
	}
}

func TestBreakFilter(t *testing.T) {
	t.Parallel()
	body := get(t, rehearsing(t, 0), "/break?owner=OWNER-00009").Body.String()
	if !strings.Contains(body, "<strong>1 token</strong> would break: 9 calls") {
		t.Errorf("got %s", body)
	}
	if body := get(t, rehearsing(t, 0), "/break?policy=another").Body.String(); !strings.Contains(body, "No call that matches would be refused.") {
		t.Errorf("got %s", body)
	}
}

func TestBreakWithoutList(t *testing.T) {
	t.Parallel()
	s := rehearsing(t, 0)
	s.workspaces[0].Tokens = unlisted{s.workspaces[0].Tokens}
	if body := get(t, s, "/break").Body.String(); !strings.Contains(body, "nothing can be judged") {
		t.Errorf("got %s", body)
	}
}

func condition(t testing.TB, kind string, values ...string) policy.Condition {
	t.Helper()
	c, err := policy.NewCondition(kind, values...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unlisted is a workspace that does not answer.
type unlisted struct{ adminapi.TokenService }

func (unlisted) List(context.Context) ([]*tokens.Info, time.Time, error) {
	return nil, time.Time{}, &tokens.UnavailableError{Outage: tokens.Unreachable}
}
