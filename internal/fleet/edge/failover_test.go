package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// refuses is the URL of a port where nobody listens.
func refuses(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "https://" + listener.Addr().String()
}

// mute is the URL of somebody who takes connections and never says anything.
func mute(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // the kernel takes the connections
	return "https://" + listener.Addr().String()
}

// TestFailover is about a first authority that does not help: the second one answers in time,
// and is asked first from then on.
func TestFailover(t *testing.T) {
	t.Parallel()
	scripted := func(answer http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string { return newScript(t, map[string]http.HandlerFunc{"GET tokens": answer}).URL }
	}
	for name, first := range map[string]func(*testing.T) string{
		"refuses connections": refuses,
		"says nothing":        mute,
		"does not answer":     scripted(hangs),
		"unavailable":         scripted(says(503, wire.Problem{Code: wire.UnavailableCode})),
		"unauthorized":        scripted(says(401, wire.Problem{Code: wire.UnauthorizedCode})),
		"another workspace":   scripted(says(421, wire.Problem{Code: wire.WorkspaceCode})),
		"redirects":           scripted(says(302, "", "Location", "/")),
		"is another server":   scripted(says(500, "<html>")),
		"says too much":       scripted(says(200, strings.Repeat(" ", wire.MaxAnswer+1))),
		"is no URL":           func(*testing.T) string { return "https://[::1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))})
			g := newGateway(t, []*script{second}, func(o *Options) {
				o.URLs, o.Timeout = []string{first(t), second.URL}, 4*time.Second
			}).unsubscribed()
			began := time.Now()
			if _, err := g.lookup(someToken); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
			if got := g.preferred.Load(); got != 1 {
				t.Errorf("authority %d is asked first, want 1", got)
			}
		})
	}
}

// TestPreferredStays checks that a failure of a moment does not send an edge back and forth.
func TestPreferredStays(t *testing.T) {
	t.Parallel()
	first, second := newScript(t, nil), newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))})
	g := newGateway(t, []*script{first, second}).unsubscribed()
	ask := func(wantFirst, wantSecond int) {
		t.Helper()
		if _, err := g.lookup(someToken); err != nil {
			t.Fatal(err)
		}
		if a, b := len(first.requests("GET tokens")), len(second.requests("GET tokens")); a != wantFirst || b != wantSecond {
			t.Errorf("asked %d and %d times, want %d and %d", a, b, wantFirst, wantSecond)
		}
	}
	ask(1, 1)
	first.set("GET tokens", knows(someToken, at(1)))
	ask(1, 2)
	second.set("GET tokens", says(503, wire.Problem{Code: wire.UnavailableCode}))
	ask(2, 3) // around the end of the list
	ask(3, 3)
	// An answer is one, whatever it says: the other authority would say the same.
	first.set("GET tokens", says(429, wire.Problem{Code: wire.RateCode}))
	if _, err := g.lookup(someToken); err == nil {
		t.Error("no error")
	}
	if got := len(second.requests("GET tokens")); got != 3 {
		t.Errorf("the second one was asked %d times, want 3", got)
	}
}

// TestNobodyAnswers checks which of several failures is told.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	throttled := says(503, wire.Problem{Code: wire.UnavailableCode, Outage: "throttled"}, "Retry-After", "9")
	for name, c := range map[string]struct {
		answers []http.HandlerFunc // nil refuses connections
		want    tokens.Outage
		text    string
	}{
		"silence":                 {[]http.HandlerFunc{hangs, hangs}, tokens.AuthorityUnreachable, "no answer in time"},
		"no connections":          {[]http.HandlerFunc{nil, nil}, tokens.AuthorityUnreachable, "the connection was refused"},
		"an outage, then silence": {[]http.HandlerFunc{throttled, hangs}, tokens.Throttled, ""},
		"silence, then an outage": {[]http.HandlerFunc{nil, throttled}, tokens.Throttled, ""},
		"none":                    {nil, "", "no authority is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			for _, answer := range c.answers {
				url := refuses(t)
				if answer != nil {
					url = newScript(t, map[string]http.HandlerFunc{"GET tokens": answer}).URL
				}
				urls = append(urls, url)
			}
			trusted := newScript(t, nil)
			g := newGateway(t, []*script{trusted}, func(o *Options) { o.URLs, o.Timeout = urls, 2*time.Second }).unsubscribed()
			_, err := g.lookup(someToken)
			outage, ok := errors.AsType[*tokens.UnavailableError](err)
			if err == nil || ok != (c.want != "") || ok && outage.Outage != c.want || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %s and %q", err, c.want, c.text)
			}
		})
	}
}

// TestCallerLeaves checks that nobody else is asked for a caller that has left.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(context.Background())
	first := newScript(t, map[string]http.HandlerFunc{"GET tokens": func(w http.ResponseWriter, r *http.Request) {
		leave()
		hangs(w, r)
	}})
	second := newScript(t, nil)
	_, err := newGateway(t, []*script{first, second}).unsubscribed().Lookup(ctx, tokens.Query{ID: someToken})
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); !ok || outage.Outage != tokens.Closed {
		t.Errorf("%v", err)
	}
	if got := len(second.requests("GET tokens")); got != 0 {
		t.Errorf("the second one was asked %d times", got)
	}
}
