package replay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/auditlog"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/scopes"
)

// randomJudge returns rules that may ask for anything.
func randomJudge(t *testing.T, r *rand.Rand, rows []scopes.Operation) judge.Judge {
	t.Helper()
	by := judge.Judge{
		Catalog: scopes.Default(), OAuth: pick(r, judge.OAuthDeny, judge.OAuthVerify, judge.OAuthVerify, judge.OAuthPass), Observe: chance(r, 5),
		CORS: pick(r, nil, judge.Origins{"https://app.example.com"}, judge.Origins{judge.AnyOrigin}), Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		Rules: policy.Rules{AllowUnscoped: !chance(r, 3)},
	}
	for i := range r.IntN(5) {
		by.Rules.Policies = append(by.Rules.Policies, randomPolicy(t, r, fmt.Sprintf("p%d", i), by.Catalog, rows))
	}
	return by
}

// TestOtherRulesOtherDecisions: what a replay says of a request is what a gateway with those
// rules does with the same request of the same token.
func TestOtherRulesOtherDecisions(t *testing.T) {
	t.Parallel()
	total, batch := 60_000, 500
	if race.Enabled || testing.Short() {
		total = 5000
	}
	r := rand.New(rand.NewPCG(20260302, 7))
	rows := scopes.Default().Operations()
	judged, changed, whys := 0, 0, make(map[string]int)
	for n := 0; n < total; n += batch {
		now, draft := randomJudge(t, r, rows), randomJudge(t, r, rows)
		var before, after []*audit.Record
		for i := range batch {
			seed := r.Uint64()
			same := func() *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
			before = append(before, decide(t, same(), now, rows, n+i))
			after = append(after, decide(t, same(), draft, rows, n+i))
		}
		by := draft
		by.Tokens = nil
		i := 0
		var logs auditlog.Reader
		if err := logs.Read(bytes.NewReader(encode(t, before)), func(text []byte) {
			if len(text) == 0 {
				return
			}
			d, ok := auditlog.Parse(text)
			if !ok || d.RequestID != before[i].RequestID {
				t.Fatalf("record %d: %s", n+i, text)
			}
			recorded := &recorded{Decision: d, depends: dependenceOf(&by)}
			got, why := recorded.judge(&by)
			want := after[i]
			i++
			whys[why]++
			if why != "" {
				return
			}
			judged++
			if passes(&got) != passes(&want.Judgement) {
				t.Errorf("passes: %t (%s %s), the gateway: %t (%s %s)\n%s", passes(&got), got.Reason, got.Policy, passes(&want.Judgement), want.Reason, want.Policy, text)
			}
			if passes(&got) != passes(&d.Judgement) {
				changed++
			}
		}); err != nil || i != batch {
			t.Fatalf("%d of %d lines: %v", i, batch, err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("judged %d of %d, of which %d changed\nnot judged: %v", judged, total, changed, whys)
	if judged < total/2 || changed < judged/20 {
		t.Errorf("judged %d of %d, of which %d changed", judged, total, changed)
	}
}
