package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// actor is a token and its true state.
type actor struct {
	value string
	id    string

	mu      sync.Mutex
	gone    bool      // revoked
	narrow  bool      // rescoped from jobs to sql
	changed time.Time // when it was revoked or rescoped
	expires time.Time
}

// mint makes the tokens of the callers. Some of them expire during the run.
func mint(workspace *fakeworkspace.Workspace, n int, total time.Duration) []*actor {
	actors := make([]*actor, n)
	for i := range actors {
		spec := fakeworkspace.TokenSpec{Owner: fmt.Sprintf("user%d@example.com", i%50), Scopes: []string{"jobs"}}
		a := new(actor)
		if i%20 == 0 {
			a.expires = time.Now().Add(time.Duration(rand.Int64N(int64(total))))
			spec.ExpiryTime = a.expires
		}
		token := workspace.Mint(spec)
		a.value, a.id = token.Value, token.Info.TokenId
		actors[i] = a
	}
	return actors
}

// changeTokens revokes or narrows one token after the other.
func (s *run) changeTokens(ctx context.Context) {
	for i := 0; sleep(ctx, s.times.change); i++ {
		a := s.actors[rand.IntN(len(s.actors))]
		a.mu.Lock()
		if a.changed.IsZero() {
			a.changed = time.Now()
			if i%2 == 0 {
				a.gone = s.workspace.Revoke(a.id)
			} else {
				a.narrow = s.workspace.SetScopes(a.id, "sql")
			}
		}
		a.mu.Unlock()
	}
}

// verdict is what an answer says about the token.
type verdict int

const (
	passed    verdict = iota // the workspace was asked, whatever came of it
	refused                  // by the gateway
	undecided                // the token could not be looked up
	confused                 // undecided, and the gateway says that it will stay so
)

const unavailable = "upstream_unavailable"

func verdictOf(header http.Header) verdict {
	switch header.Get("X-Scopegate-Reason") {
	case "", unavailable:
		return passed
	case "directory_unavailable":
		return undecided
	case "gateway_misconfigured":
		return confused
	default:
		return refused
	}
}

// wrong returns what is wrong with a verdict about a list of jobs, or an empty string. An
// undecided one is never wrong, because look-ups have faults. For a while after a change,
// the old state is also right. Without an actor the token was invented.
func (a *actor) wrong(got verdict, lag time.Duration, asked, answered time.Time) string {
	if a == nil {
		if got == passed {
			return "an invented token passed"
		}
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	recent := !a.changed.IsZero() && asked.Sub(a.changed) < lag
	switch {
	case got == undecided || got == confused:
	case !a.expires.IsZero() && asked.After(a.expires):
		if got != refused {
			return "an expired token passed"
		}
	case !a.expires.IsZero() && answered.After(a.expires): // it expired in the meantime
	case recent:
	case a.gone || a.narrow:
		if got != refused {
			return fmt.Sprintf("a token that was revoked (%t) or narrowed (%t) %v ago passed", a.gone, a.narrow, asked.Sub(a.changed))
		}
	case got != passed:
		return "a good token was refused"
	}
	return ""
}

// good reports whether the token is still as good as it was when it was made. For others
// the workspace may refuse what had passed.
func (a *actor) good() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed.IsZero() && (a.expires.IsZero() || time.Now().Before(a.expires))
}
