package edge

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestResetAtStart is about answers from before the subscription: they are doubted if a change
// can have come between.
func TestResetAtStart(t *testing.T) {
	t.Parallel()
	unknown := says(404, wire.Problem{Code: wire.UnknownTokenCode})
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		owner   bool // a name was asked for
		reset   bool
	}{
		"nothing was asked":          {},
		"from the same position":     {answers: []http.HandlerFunc{knows(someToken, at(5))}},
		"from a later one":           {answers: []http.HandlerFunc{knows(someToken, at(6)), knows(someToken, at(7))}},
		"from an earlier one":        {answers: []http.HandlerFunc{knows(someToken, at(4))}, reset: true},
		"one of several was earlier": {answers: []http.HandlerFunc{knows(someToken, at(6)), knows(someToken, at(4)), knows(someToken, at(5))}, reset: true},
		"from another epoch":         {answers: []http.HandlerFunc{knows(someToken, wire.Position{Epoch: "f", Generation: 9})}, reset: true},
		"one was of another epoch":   {answers: []http.HandlerFunc{knows(someToken, wire.Position{Epoch: "f", Generation: 9}), knows(someToken, at(9))}, reset: true},
		"a later one was of another": {answers: []http.HandlerFunc{knows(someToken, at(9)), knows(someToken, wire.Position{Epoch: "f", Generation: 9})}, reset: true},
		"a token was unknown":        {answers: []http.HandlerFunc{unknown}, reset: true},
		"a name":                     {owner: true, reset: true},
		"no answer":                  {answers: []http.HandlerFunc{says(503, wire.Problem{Code: wire.UnavailableCode})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, streams(newFeed(begin(at(5)))))
			g := newGateway(t, []*script{authority}).unsubscribed()
			for _, answer := range c.answers {
				authority.set("GET tokens", answer)
				_, _ = g.lookup(someToken) // the answers may be errors
			}
			if c.owner {
				authority.set("GET owners", says(200, wire.OwnerAnswer{Owner: wire.Principal{ID: 5, Name: "a@example.com"}}))
				if _, err := g.OwnerName(context.Background(), 5); err != nil {
					t.Fatal(err)
				}
			}
			g.subscribes()
			authority.waitForAck(t, at(5))
			if got := g.noted(); slices.Contains(got, "reset") != c.reset || slices.Contains(got, "gap lost") {
				t.Errorf("%q, want reset: %t", got, c.reset)
			}
		})
	}
}

// TestChanges follows one stream.
func TestChanges(t *testing.T) {
	t.Parallel()
	other := wire.Position{Epoch: "f", Generation: 2}
	authority := newScript(t, streams(newFeed(begin(at(5)), changed(at(6), fleet.AllChanged), ":\n\n", changed(at(7), "news"), reset(other), changed(wire.Position{Epoch: "f", Generation: 3}, fleet.UnknownChanged))))
	g := newGateway(t, []*script{authority})
	g.Start()
	authority.waitForAck(t, wire.Position{Epoch: "f", Generation: 3})
	if got, want := g.noted(), []string{"apply all", "apply doubt_owners", "gap lost", "reset", "apply unknown"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := g.Generation(); got != 3 {
		t.Errorf("generation %d", got)
	}
	if got := g.Status(); !got.Up || got.URL != authority.URL || got.Error != "" {
		t.Errorf("%+v", got)
	}
	request := authority.requests("GET changes")[0]
	if got := request.header["Last-Event-Id"]; got != nil {
		t.Errorf("it resumes from %q", got)
	}
	if got := request.header.Get("Accept"); got != "text/event-stream" {
		t.Errorf("it accepts %q", got)
	}
}

// TestResume ends the stream of a first authority. The edge goes on at the other one, where it
// left off, and asks that one about tokens too.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"a clean end":        "",
		"a malformed stream": "<html>\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := newScript(t, streams(newFeed(begin(at(5)), changed(at(6), fleet.AllChanged), end)))
			second := newScript(t, streams(newFeed(hello(at(6)), changed(at(7), fleet.Doubted))))
			second.set("GET tokens", knows(someToken, at(7)))
			g := newGateway(t, []*script{first, second})
			g.Start()
			second.waitForAck(t, at(7))
			if got, want := g.noted(), []string{"apply all", "apply doubt"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if got := second.requests("GET changes")[0].header.Get("Last-Event-ID"); got != "e:6" {
				t.Errorf("it resumes from %q", got)
			}
			if got := len(first.requests("GET changes")); got != 1 {
				t.Errorf("the first one was asked %d times", got)
			}
			if _, err := g.lookup(someToken); err != nil || len(first.requests("GET tokens")) != 0 {
				t.Errorf("%v; the first one was asked %d times", err, len(first.requests("GET tokens")))
			}
		})
	}
}
