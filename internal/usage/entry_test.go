package usage

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// What is in steady use keeps its place among the recently used, however short the
// time between two calls.
func TestSteadyUseIsNotForgotten(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	for _, step := range []time.Duration{time.Millisecond, 300 * time.Millisecond, restMS * time.Millisecond, time.Minute} {
		t.Run(step.String(), func(t *testing.T) {
			r, clock := newTestRecorder(t, 3, 2)
			for i := range 10_000 {
				clock.Time = noon.Add(time.Duration(i) * step)
				r.Seen(allowed(id("steady"), &jobs, clock.Time))
				// Others come once every two rests: one token, one operation.
				if every := int(max(1, 2*restMS*time.Millisecond/step)); i%every == every-1 {
					r.Seen(allowed(id(i), &jobs, clock.Time))
					o := op(fmt.Sprintf("o%d: x", i))
					r.Seen(allowed(id("steady"), &o, clock.Time))
				}
			}
			got, ok := r.Token(id("steady"))
			if !ok || got.Calls < 10_000 {
				t.Fatalf("the token in steady use was forgotten: %+v", got)
			}
			if len(got.Uses) != 2 || got.Uses[0].Operation.Name != "jobs" || got.Uses[0].Calls != 10_000 {
				t.Errorf("the operation in steady use was forgotten: %+v", got.Uses)
			}
		})
	}
}

// Tokens that are idle keep no operation, and so no catalog, in memory.
func TestIdleTokensKeepNoCatalog(t *testing.T) {
	r := newRecorder(Options{})
	operation := func(i int) *scopes.Operation {
		return &scopes.Operation{Method: "GET", Template: fmt.Sprintf("/api/2.0/x%d", i%10), Name: "x", AnyOf: []string{"jobs"}}
	}
	call := func(token string, o *scopes.Operation) {
		r.Seen(Call{TokenID: tokens.IDOf(token), Operation: o, Allowed: true})
	}
	idle := func() weak.Pointer[scopes.Operation] {
		o := operation(0)
		call("idle", o)
		return weak.Make(o)
	}()
	for i := range maxKnown + 1 { // of newer catalogs
		call("busy", operation(i))
	}
	runtime.GC()
	if idle.Value() != nil {
		t.Error("the operation is kept")
	}
	if token, ok := r.Token(tokens.IDOf("idle").String()); !ok || len(token.Uses) != 1 || token.Uses[0].Calls != 1 {
		t.Errorf("%+v", token)
	}
}
