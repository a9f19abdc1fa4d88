package actions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

// newDesk returns a desk with a clock of its own, and a plan for a workspace.
func newDesk(t *testing.T) (*Desk, *time.Time, *Plan) {
	t.Helper()
	w := fakeworkspace.New()
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	d := NewDesk(Options{ClientID: "app", Scope: "authentication", Now: func() time.Time { return now }})
	return d, &now, &Plan{Workspace: w.URL(), Verb: Revoke, Target: bulk.Target{ID: tokens.IDOf("a")}}
}

func begin(t *testing.T, d *Desk, plan *Plan) *Started {
	t.Helper()
	started, err := d.Begin(t.Context(), plan, "http://localhost:2020/actions/callback", "operator")
	if err != nil {
		t.Fatal(err)
	}
	return started
}

// statusOf returns the status of an error, 0 for none.
func statusOf(err error) int {
	failed, _ := errors.AsType[*Error](err)
	if failed == nil {
		return 0
	}
	return failed.Status
}

// TestHold: only the browser and the user that began go on, in time, and with one code.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		later  time.Duration
		change func(*Answer)
		ok     bool
	}{
		{"the same browser", 0, func(*Answer) {}, true},
		{"at the last moment", Patience - time.Second, func(*Answer) {}, true},
		{"too late", Patience, func(*Answer) {}, false},
		{"another browser", 0, func(a *Answer) { a.Key = random() }, false},
		{"no cookie", 0, func(a *Answer) { a.Key = "" }, false},
		{"another user", 0, func(a *Answer) { a.User = "other" }, false},
		{"another state", 0, func(a *Answer) { a.State = random() }, false},
		{"no code", 0, func(a *Answer) { a.Code = "" }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, now, plan := newDesk(t)
			started := begin(t, d, plan)
			answer := Answer{State: started.State, Key: started.Key, User: "operator", Code: "code"}
			*now = now.Add(test.later)
			test.change(&answer)
			held, proof, err := d.Hold(answer)
			if (err == nil) != test.ok || test.ok && held.Fingerprint() != plan.Fingerprint() || !test.ok && statusOf(err) != http.StatusBadRequest {
				t.Errorf("%+v, %v", held, err)
			}
			if !test.ok {
				return
			}
			if _, again, err := d.Hold(answer); err != nil || again != proof || len(proof) != 64 {
				t.Errorf("the same once more: %q, %q, %v", proof, again, err)
			}
			answer.Code = "another"
			if _, _, err := d.Hold(answer); err == nil {
				t.Error("the code was replaced")
			}
			if _, err := d.take(answer); err == nil {
				t.Error("it goes on after two codes")
			}
		})
	}
}

// TestProof: a code that was held is used only by the page that was shown when it came.
func TestProof(t *testing.T) {
	t.Parallel()
	d, _, plan := newDesk(t)
	for name, change := range map[string]func(*Answer){
		"no proof":      func(a *Answer) { a.Proof = "" },
		"another proof": func(a *Answer) { a.Proof = random() },
	} {
		started := begin(t, d, plan)
		answer := Answer{State: started.State, Key: started.Key, User: "operator", Code: "code"}
		_, proof, err := d.Hold(answer)
		if err != nil {
			t.Fatal(err)
		}
		answer.Code, answer.Proof = "", proof
		change(&answer)
		if _, err := d.Finish(t.Context(), answer, nil); statusOf(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing was held, so that an empty proof proves nothing.
	started := begin(t, d, plan)
	if _, err := d.Finish(t.Context(), Answer{State: started.State, Key: started.Key, User: "operator"}, nil); statusOf(err) != http.StatusBadRequest {
		t.Errorf("without a code: %v", err)
	}
}

// TestOnce: a state is used once, whatever becomes of it.
func TestOnce(t *testing.T) {
	t.Parallel()
	d, _, plan := newDesk(t)
	started := begin(t, d, plan)
	answer := Answer{State: started.State, Key: started.Key, User: "operator", Refusal: "<script>"}
	forget := func(tokens.ID) { t.Error("nothing was changed") }
	if _, err := d.Finish(t.Context(), answer, forget); statusOf(err) != http.StatusBadGateway || strings.Contains(err.Error(), "<script>") {
		t.Errorf("refused: %v", err)
	}
	if _, err := d.Finish(t.Context(), answer, forget); statusOf(err) != http.StatusBadRequest {
		t.Errorf("again: %v", err)
	}
}

// TestRoom: the newest plans wait, and those that waited too long are dropped first.
func TestRoom(t *testing.T) {
	t.Parallel()
	d, now, plan := newDesk(t)
	first := begin(t, d, plan)
	for i := range maxPending {
		*now = now.Add(time.Second)
		d.mu.Lock()
		d.makeRoom()
		d.pending[fmt.Sprint(i)] = &pending{plan: *plan, expires: now.Add(Patience)}
		d.mu.Unlock()
	}
	if len(d.pending) != maxPending || d.pending[first.State] != nil || d.pending["0"] == nil {
		t.Errorf("%d wait", len(d.pending))
	}
	*now = now.Add(Patience)
	begin(t, d, plan)
	if len(d.pending) != 1 {
		t.Errorf("%d wait, though they are too old", len(d.pending))
	}
}

// TestFingerprint: plans that do different things do not look alike.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	base := Plan{Workspace: "https://a", Verb: Narrow, Target: bulk.Target{ID: tokens.IDOf("a"), OwnerID: 1, Former: []string{"a", "b"}, To: []string{"c"}}}
	seen := map[string]int{base.Fingerprint(): -1}
	for i, change := range []func(*Plan){
		func(p *Plan) { p.Workspace = "https://b" },
		func(p *Plan) { p.Verb = Revoke },
		func(p *Plan) { p.Target.ID = tokens.IDOf("b") },
		func(p *Plan) { p.Target.OwnerID = 2 },
		func(p *Plan) { p.Target.Former = []string{"a b"} },
		func(p *Plan) { p.Target.Former = nil },
		func(p *Plan) { p.Target.To = []string{"c", "d"} },
		func(p *Plan) { p.Target.Former, p.Target.To = []string{"a"}, []string{"b", "c"} },
	} {
		plan := base
		change(&plan)
		if other, again := seen[plan.Fingerprint()]; again {
			t.Errorf("%d looks like %d", i, other)
		}
		seen[plan.Fingerprint()] = i
	}
}

// stubborn is a workspace that does not set scopes, whatever it says.
type stubborn struct {
	bulk.Workspace
	info *tokens.Info
	err  error
}

func (s *stubborn) Get(context.Context, tokens.ID) (*tokens.Info, error) { return s.info, nil }
func (s *stubborn) SetScopes(context.Context, tokens.ID, []string) error { return s.err }
func (s *stubborn) Revoke(context.Context, tokens.ID) error              { return s.err }

// TestCarryOut: what fails without an answer of the workspace.
func TestCarryOut(t *testing.T) {
	t.Parallel()
	id := tokens.IDOf("a")
	held := &tokens.Info{ID: id, Owner: tokens.NewPrincipal(1, ""), Scopes: []string{"sql"}}
	for _, test := range []struct {
		name   string
		target bulk.Target
		verb   Verb
		err    error
		status int
		says   string
		forgot bool
	}{
		{"a plan that widens", bulk.Target{ID: id, OwnerID: 1, Former: []string{"sql"}, To: []string{"jobs"}}, Narrow, nil, 502, "nothing was changed", false},
		{"all-apis", bulk.Target{ID: id, OwnerID: 1, Former: []string{"sql"}, To: []string{"all-apis"}}, Narrow, nil, 502, "nothing was changed", false},
		{"another owner", bulk.Target{ID: id, OwnerID: 2, Former: []string{"sql"}}, Revoke, nil, 409, "its owner", true},
		{"other scopes", bulk.Target{ID: id, OwnerID: 1, Former: []string{"sql", "jobs"}, To: []string{"jobs"}}, Narrow, nil, 409, "its scopes", true},
		{"an owner that was not known", bulk.Target{ID: id, Former: []string{"sql"}}, Revoke, nil, 409, "its owner", true},
		{"set already", bulk.Target{ID: id, OwnerID: 1, Former: []string{"sql", "jobs"}, To: []string{"sql"}}, Narrow, nil, 0, "", false},
		{"no answer to a revocation", bulk.Target{ID: id, OwnerID: 1, Former: []string{"sql"}}, Revoke, &tokens.UnavailableError{Outage: tokens.TimedOut}, 502, "not known whether", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := NewDesk(Options{Scope: "authentication"})
			attempt := &Attempt{Plan: Plan{Workspace: "https://a", Verb: test.verb, Target: test.target}, By: "someone"}
			forgot := false
			err := d.carryOut(t.Context(), attempt, &stubborn{info: held, err: test.err}, func(tokens.ID) { forgot = true })
			if statusOf(err) != test.status || err != nil && !strings.Contains(err.Error(), test.says) || forgot != test.forgot || attempt.Changed() {
				t.Errorf("%v, forgot %t, %+v", err, forgot, attempt)
			}
		})
	}
}
