package edge

import (
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestBackoff checks that authorities which fail at once are not asked all the time. Pauses
// take at least half of what they are said to take, so a number of attempts has a least time.
func TestBackoff(t *testing.T) {
	t.Parallel()
	const rounds = 5
	least := time.Duration(0)
	for pause, n := minBackoff, 1; n < rounds; n++ {
		least += pause / 2
		pause = min(2*pause, maxBackoff)
	}
	for name, c := range map[string]struct {
		authorities int
		answer      http.HandlerFunc
	}{
		"unavailable":          {1, says(503, wire.Problem{Code: wire.UnavailableCode})},
		"two are unavailable":  {2, says(503, wire.Problem{Code: wire.UnavailableCode})},
		"unauthorized":         {1, says(401, wire.Problem{Code: wire.UnauthorizedCode})},
		"ends at once":         {1, says(200, begin(at(5)))},
		"two end at once":      {2, says(200, hello(at(5)))},
		"is no authority":      {1, says(200, "<html>\n")},
		"breaks off":           {1, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"is an older protocol": {1, says(404, wire.Problem{Code: wire.NoRouteCode})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var authorities []*script
			for range c.authorities {
				authorities = append(authorities, newScript(t, map[string]http.HandlerFunc{"GET changes": c.answer}))
			}
			g := newGateway(t, authorities)
			began := time.Now()
			g.Start()
			waitFor(t, "the last round", func() bool { return len(authorities[0].requests("GET changes")) >= rounds })
			if took := time.Since(began); took < least {
				t.Errorf("%d rounds took %s, want %s at least", rounds, took, least)
			}
			for _, a := range authorities[1:] { // none is left out
				if got := len(a.requests("GET changes")); got < rounds-1 {
					t.Errorf("another one was asked %d times", got)
				}
			}
		})
	}
}

// TestReportsArePaced tells of a change again and again. That is no reason to ask an authority
// which takes no reports more often.
func TestReportsArePaced(t *testing.T) {
	t.Parallel()
	authority := newScript(t, nil)
	g := newGateway(t, []*script{authority})
	g.Start()
	began := time.Now()
	waitFor(t, "the third report", func() bool {
		g.Tell(fleet.Change{Kind: fleet.Doubted})
		return len(authority.reported(t)) >= 3
	})
	if took := time.Since(began); took < 2*reportRetry {
		t.Errorf("three reports took %s, want %s at least", took, 2*reportRetry)
	}
}
