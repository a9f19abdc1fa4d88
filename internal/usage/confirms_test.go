package usage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// workspace says which scopes tokens have.
type workspace struct {
	mu    sync.Mutex
	held  map[[sha256.Size]byte]string
	asked int
	at    func(asked int, now time.Time) time.Time // when it was asked, as it says
}

func (w *workspace) scopes(ctx context.Context, id [sha256.Size]byte) ([]string, time.Time, error) {
	w.mu.Lock()
	w.asked++
	now := time.Now()
	if w.at != nil {
		now = w.at(w.asked, now)
	}
	held, ok := w.held[id]
	w.mu.Unlock()
	if !ok {
		<-ctx.Done()
		return nil, now, errors.New("it does not answer")
	}
	time.Sleep(time.Millisecond)
	return strings.Fields(held), now, nil
}

// claimed returns an answer to a token whose scopes have been known for a minute.
func claimed(o *scopes.Operation, token byte, held string, named ...string) Answer {
	a := answerOf(o, held, named...)
	a.Token, a.At, a.KnownAt = [sha256.Size]byte{token}, time.Now(), time.Now().Add(-time.Minute)
	return a
}

// TestConfirms: answers count once the workspace said that the token still has its scopes.
func TestConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := op("a: x")
		said := &workspace{held: map[[sha256.Size]byte]string{{1}: "z y", {2}: "w", {3}: "y"}}
		l := NewLedger(Options{Scopes: said.scopes})
		counted := 0
		for range 100 {
			for _, a := range []Answer{claimed(&o, 1, "y z"), claimed(&o, 1, "y z", "v"), claimed(&o, 2, "z"), claimed(&o, 2, "z", "v")} {
				a.Disagreed = func(bool) { counted++ }
				l.Learn(a)
			}
		}
		l.Settle(t.Context())
		state, err := l.State(t.Context())
		if err != nil || len(state.Lessons) != 1 || said.asked != 2 || counted != 2 {
			t.Fatalf("%v, asked %d times, counted %d, %+v", err, said.asked, counted, state.Lessons)
		}
		if got := state.Lessons[0]; got.Disagreed != 2 || len(got.Passed) != 1 || fmt.Sprint(got.Passed[0].Held, got.Refused[0].Held, got.Refused[0].Named) != "[y z] [y z] [v]" {
			t.Errorf("%+v", got)
		}
		// What is proven is counted, whoever says it.
		if !l.Repeat(claimed(&o, 2, "z y")) || !l.Repeat(claimed(&o, 3, "z y", "v")) || l.Repeat(claimed(&o, 1, "y z", "u")) || l.Repeat(claimed(&o, 3, "y")) || said.asked != 2 {
			t.Errorf("asked %d times", said.asked)
		}
		// A look-up that began before the answer says nothing.
		said.at = func(asked int, now time.Time) time.Time {
			if asked == 3 {
				return now.Add(-time.Millisecond)
			}
			return now
		}
		l.Learn(claimed(&o, 3, "y"))
		l.Settle(t.Context())
		if state, _ = l.State(t.Context()); said.asked != 4 || len(state.Lessons[0].Passed) != 1 || len(state.Lessons[0].Passed[0].Held) != 1 {
			t.Errorf("asked %d times, %+v", said.asked, state.Lessons)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestConfirmsWithoutAnswer: a workspace that does not answer keeps no request, and neither
// reports nor the end for long. What waits is bounded, and so are look-ups.
func TestConfirmsWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := op("a: x")
		said := &workspace{held: map[[sha256.Size]byte]string{{1}: "y"}}
		l := NewLedger(Options{Scopes: said.scopes})
		began := time.Now()
		for i := range 2 * maxPerToken {
			l.Learn(claimed(&o, 2, "y", fmt.Sprintf("n%d", i)))
		}
		if n := len(l.confirms.waiting); n != maxPerToken {
			t.Errorf("%d answers of one token wait", n)
		}
		for i := range 2 * maxConfirms {
			l.Learn(claimed(&o, byte(200+i%40), "y", fmt.Sprintf("n%d", i)))
		}
		if took := time.Since(began); took != 0 || len(l.confirms.waiting) != maxConfirms {
			t.Errorf("after %s, %d wait", took, len(l.confirms.waiting))
		}
		if state, _ := l.State(t.Context()); len(state.Lessons) != 0 || time.Since(began) != 0 {
			t.Errorf("after %s, %+v", time.Since(began), state.Lessons)
		}
		if l.Settle(t.Context()); time.Since(began) > confirmTimeout {
			t.Errorf("waited %s", time.Since(began))
		}
		time.Sleep(5 * time.Minute) // it has given up, and saved up a burst
		said.mu.Lock()
		said.asked = 0
		said.mu.Unlock()
		for i := range 200 {
			said.mu.Lock()
			said.held[[sha256.Size]byte{byte(i)}] = "x"
			said.mu.Unlock()
			l.Learn(claimed(&o, byte(i), "y"))
		}
		time.Sleep(10 * time.Second)
		said.mu.Lock()
		n := said.asked
		said.mu.Unlock()
		if n < confirmBurst || n > confirmBurst+confirmRate*15 {
			t.Errorf("asked %d times in 10s", n)
		}
		began = time.Now()
		if err := l.Close(); err != nil || time.Since(began) > 2*confirmGrace {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		l.Learn(claimed(&o, 1, "y"))
		synctest.Wait()
	})
}

// TestClaims: an agreement counts at once. With which scopes it does once the same token's
// scopes were looked up after it, and are the same.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := op("a: x")
		l := NewLedger(Options{Scopes: func(context.Context, [sha256.Size]byte) ([]string, time.Time, error) {
			t.Error("asked")
			return nil, time.Time{}, nil
		}})
		passed := func() (agreed uint64, sets int) {
			state, err := l.State(t.Context())
			if err != nil || len(state.Lessons) != 1 {
				t.Fatalf("%v %+v", err, state.Lessons)
			}
			return state.Lessons[0].Agreed, len(state.Lessons[0].Passed)
		}
		first := time.Now().Add(time.Minute) // answer
		for _, step := range []struct {
			token   byte
			held    string
			knownAt time.Duration // after the first answer
			sets    int
		}{
			{1, "x y", -time.Minute, 0},
			{1, "x y", -time.Minute, 0},
			{2, "x y", 30 * time.Second, 0}, // another token
			{1, "x z", 30 * time.Second, 0}, // other scopes
			{1, "x y", -time.Second, 0},     // looked up before
			{1, "x y", 30 * time.Second, 1},
			{2, "x y", -time.Hour, 1}, // proven by the other one
		} {
			time.Sleep(time.Minute)
			a := claimed(&o, step.token, step.held)
			a.KnownAt = first.Add(step.knownAt)
			if !l.Repeat(a) {
				l.Learn(a)
			}
			if _, sets := passed(); sets != step.sets {
				t.Errorf("%+v: %d sets", step, sets)
			}
		}
		if agreed, _ := passed(); agreed != 7 {
			t.Errorf("%d agreed", agreed)
		}
		l.Count(claimed(&o, 3, "x"))
		if agreed, sets := passed(); agreed != 8 || sets != 1 {
			t.Errorf("%d agreed, %d sets", agreed, sets)
		}
	})
}
