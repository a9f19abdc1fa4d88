package usage

import (
	"fmt"
	"testing"
	"time"
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
