package exchange

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/passthrough"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// ledger is the part of [Tokens] that learns.
type ledger struct {
	judge.Forgetter
	*usage.Ledger
}

// answeredExchange returns an exchange whose request passed and was answered by 200.
func answeredExchange(held ...string) (*exchange, *usage.Ledger) {
	all := usage.NewLedger(usage.Options{})
	known := &ledger{Ledger: all}
	x := &exchange{e: &Enforcer{Tokens: func() Tokens { return known }}}
	x.r = httptest.NewRequest(http.MethodGet, "/api/2.1/jobs/list", nil)
	x.w = trackResponse(httptest.NewRecorder(), time.Now)
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(http.StatusOK)
	x.rec = &audit.Record{Time: time.Now(), Judgement: judge.Judgement{
		Decision:  judge.Allow,
		Operation: &scopes.Operation{Method: "GET", Template: "/api/2.1/jobs/list", AnyOf: []string{"jobs"}, Evidence: scopes.Documented, Name: "jobs.List"},
		Facts:     tokens.Facts{Info: &tokens.Info{Scopes: held}, Source: tokens.FromCache},
		Held:      held,
	}}
	x.through = passthrough.Exchange{Proxied: true}
	return x, all
}

// TestLearnAllocatesNothing must not run in parallel: allocations are counted for the whole
// process.
func TestLearnAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	x, all := answeredExchange("clusters", "jobs", "sql")
	x.learn(true)
	if n := testing.AllocsPerRun(100, func() { x.learn(true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	state, err := all.State(t.Context())
	if err != nil || len(state.Lessons) != 1 || state.Lessons[0].Agreed != 102 || state.Lessons[0].Passed[0].Count != 102 {
		t.Errorf("learned %+v, %v", state.Lessons, err)
	}
}

func BenchmarkLearn(b *testing.B) {
	x, _ := answeredExchange("clusters", "jobs", "sql")
	b.ReportAllocs()
	for b.Loop() {
		x.learn(true)
	}
}
