package bulk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

const (
	// maxInterval and minInterval are between two questions to the gateway.
	maxInterval = 15 * time.Second
	minInterval = time.Second
)

// Seen is what a gateway has counted.
type Seen struct {
	// Tokens are what tokens were seen to do, by id.
	Tokens map[string]*usage.Token
	// Drift are the operations about which the workspace's answers disagreed with the map.
	Drift []usage.DriftRow
}

// Watch gives tokens their former scopes back if calls are refused that passed before.
type Watch struct {
	Runner *Runner
	// Ask asks the gateway what it has counted.
	Ask func() (*Seen, error)
	// Length is how long to watch.
	Length time.Duration
	// Before is what the gateway had counted before the tokens were narrowed.
	Before *Seen
}

// Watched is what came of a watch.
type Watched struct {
	// Undone are the tokens that got their former scopes back, or of which that failed.
	Undone []Result
	// Kept is how many tokens stay narrowed.
	Kept int
	// Interrupted means that the watch was ended before its time, and Blind that the gateway
	// could not be asked at the end.
	Interrupted, Blind bool
}

// Run watches tokens until the time is over, or all of them were restored, or the context
// ends.
func (w *Watch) Run(ctx context.Context, targets []Target) Watched {
	interval := min(maxInterval, max(minInterval, w.Length/20))
	end := time.Now().Add(w.Length)
	left := slices.Clone(targets)
	var out Watched
	for done := false; !done && len(left) > 0; {
		pause := min(interval, time.Until(end))
		out.Interrupted = sleep(ctx, pause) != nil
		done = out.Interrupted || !time.Now().Before(end)
		seen, err := w.Ask()
		if blind := err != nil; blind != out.Blind {
			out.Blind = blind
			if blind {
				w.Runner.Say("the gateway cannot be asked, so the watch sees nothing until it can: %v", err)
			} else {
				w.Runner.Say("the gateway answers again; what it counted in the meantime is looked at now")
			}
		}
		if err != nil || out.Interrupted {
			continue
		}
		left = w.look(ctx, left, seen, &out)
	}
	out.Kept = len(left)
	return out
}

// look restores the tokens of which calls were refused, and returns the others. Those that could
// not be restored are tried again, unless there is no sense in it.
func (w *Watch) look(ctx context.Context, targets []Target, seen *Seen, out *Watched) (left []Target) {
	for i := range targets {
		t := &targets[i]
		why := w.refused(t, seen)
		if why == "" {
			left = append(left, *t)
			continue
		}
		status, err := w.Runner.restore(ctx, t)
		result := t.result(status, why)
		if err != nil {
			result = t.result(Failed, fmt.Sprintf("%s; its former scopes could not be restored: %v", why, err))
			left = append(left, *t)
		}
		k := slices.IndexFunc(out.Undone, func(r Result) bool { return r.TokenID == result.TokenID })
		switch {
		case k < 0:
			out.Undone = append(out.Undone, result)
		case out.Undone[k].Status == result.Status:
			continue // it was said
		default:
			out.Undone[k] = result
		}
		w.Runner.Say("%s of %s: %s: %s", short(t.ID), t.Owner, result.Status, result.Problem)
	}
	if len(out.Undone) > 0 {
		w.Runner.BatchDone()
	}
	return left
}

// refused says which calls of a token were refused since it was narrowed, although its former
// scopes permit them. It is empty if none was.
func (w *Watch) refused(t *Target, seen *Seen) string {
	now := seen.Tokens[t.ID.String()]
	if now == nil {
		return ""
	}
	before := w.Before.Tokens[t.ID.String()]
	var found []string
	for i := range now.Uses {
		u := &now.Uses[i]
		o := &u.Operation
		was := useOf(before, o)
		switch {
		case o.Optional || everything(t.To):
		case was.Calls > 0 && was.Denied >= was.Calls: // it never passed, as without scopes under unscoped_tokens deny
		case permits(t.Former, o) && !permits(t.To, o) && u.Reason == missingScope && refusals(u) > refusals(was):
			found = append(found, fmt.Sprintf("%s %s was refused by the gateway", o.Method, o.Template))
		case u.Calls > was.Calls && w.contradicted(t, o, seen.Drift):
			found = append(found, fmt.Sprintf("%s %s was refused by the workspace", o.Method, o.Template))
		}
	}
	denied := uint64(0)
	if before != nil {
		denied = before.Denied
	}
	if now.Evicted && now.Denied > denied {
		found = append(found, "calls were refused, and the gateway has dropped which")
	}
	w.lower(t.ID.String(), now)
	return strings.Join(found, ", ")
}

// lower takes a gateway's counts for the ones before if they are less: it was restarted, and
// has not saved all of them.
func (w *Watch) lower(id string, now *usage.Token) {
	before := w.Before.Tokens[id]
	if before == nil || now.Calls >= before.Calls {
		return
	}
	w.Before.Tokens[id] = now
}

// contradicted reports whether the workspace refused an operation since the token was narrowed
// for lack of a scope that the token lost.
func (w *Watch) contradicted(t *Target, o *scopes.Operation, drift []usage.DriftRow) bool {
	for i := range drift {
		row := &drift[i]
		if row.Method != o.Method || row.Template != o.Template || row.Disagreed <= disagreed(w.Before.Drift, row) {
			continue
		}
		lost := func(scope string) bool {
			return (everything(t.Former) || slices.Contains(t.Former, scope)) && !slices.Contains(t.To, scope)
		}
		if slices.ContainsFunc(row.Named, lost) {
			return true
		}
	}
	return false
}

func disagreed(rows []usage.DriftRow, like *usage.DriftRow) uint64 {
	for i := range rows {
		if rows[i].Method == like.Method && rows[i].Template == like.Template && rows[i].Operation == like.Operation {
			return rows[i].Disagreed
		}
	}
	return 0
}

// useOf returns what was seen of an operation, which may be nothing.
func useOf(t *usage.Token, o *scopes.Operation) *usage.Use {
	if t != nil {
		for i := range t.Uses {
			if p := &t.Uses[i].Operation; p.Method == o.Method && p.Template == o.Template && slices.Equal(p.AnyOf, o.AnyOf) {
				return &t.Uses[i]
			}
		}
	}
	return new(usage.Use)
}

// refusals counts those that were enforced, and those that only the workspace enforces.
func refusals(u *usage.Use) uint64 { return u.Denied + u.WouldDeny }

// permits reports whether scopes, where none stands for all, permit an operation.
func permits(held []string, o *scopes.Operation) bool {
	if everything(held) {
		return o.Access != scopes.AccountOnly
	}
	return o.Permits(held)
}

func short(id tokens.ID) string { return id.String()[:idDigits] + "…" }

// String says what came of a watch.
func (w *Watched) String() string {
	failed := 0
	for i := range w.Undone {
		if w.Undone[i].Status == Failed {
			failed++
		}
	}
	text := fmt.Sprintf("%s narrowed, %d restored.", stay(w.Kept), len(w.Undone)-failed)
	if failed > 0 {
		text += fmt.Sprintf(" %s could not be restored.", count(failed, "token"))
	}
	switch {
	case w.Interrupted:
		return "The watch was interrupted: " + text
	case w.Blind:
		return "The watch is over, and the gateway could not be asked at its end: " + text
	}
	return "The watch is over: " + text
}

func stay(n int) string {
	if n == 1 {
		return "1 token stays"
	}
	return fmt.Sprintf("%d tokens stay", n)
}

// Announce says what a watch is about to do.
func (w *Watch) Announce(n int) string {
	return fmt.Sprintf("watching %s for %s; one whose calls are refused gets its former scopes back (Ctrl-C ends the watch and leaves all as they are)", count(n, "token"), duration.Format(w.Length))
}
