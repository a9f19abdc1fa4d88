package edge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

var someToken = tokens.IDOf("dapi-some-token")

func at(generation fleet.Generation) wire.Position {
	return wire.Position{Epoch: "e", Generation: generation}
}

func TestLookupFails(t *testing.T) {
	t.Parallel()
	problem := func(status int, code string, header ...string) http.HandlerFunc {
		return says(status, wire.Problem{Code: code, Message: "quoted " + edgeToken}, header...)
	}
	outage := func(outage string) http.HandlerFunc {
		return says(503, wire.Problem{Code: wire.UnavailableCode, Outage: outage}, "Retry-After", "3")
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   tokens.Outage
		retry  time.Duration
		text   string // part of the error's, for operators
	}{
		"rate":                   {problem(429, wire.RateCode, "Retry-After", "7"), tokens.Overloaded, 7 * time.Second, ""},
		"rate for a year":        {problem(429, wire.RateCode, "Retry-After", "31536000"), tokens.Overloaded, maxRetryAfter, ""},
		"rate without a number":  {problem(429, wire.RateCode, "Retry-After", "-1"), tokens.Overloaded, 0, ""},
		"unauthorized":           {problem(401, wire.UnauthorizedCode), tokens.EdgeRefused, 0, "status 401"},
		"forbidden":              {problem(403, wire.ForbiddenCode), tokens.EdgeRefused, 0, "status 403"},
		"insecure":               {problem(403, wire.InsecureCode), tokens.EdgeRefused, 0, "status 403"},
		"another workspace":      {problem(421, wire.WorkspaceCode), tokens.EdgeRefused, 0, "serves another workspace"},
		"throttled":              {outage("throttled"), tokens.Throttled, 3 * time.Second, ""},
		"its admin credential":   {outage("admin_rejected"), tokens.AuthorityRejected, 3 * time.Second, ""},
		"an edge itself":         {outage("edge_refused"), tokens.AuthorityUnreachable, 3 * time.Second, ""},
		"a later outage":         {outage("news"), tokens.AuthorityUnreachable, 3 * time.Second, ""},
		"no outage":              {problem(503, wire.UnavailableCode), tokens.AuthorityUnreachable, 0, ""},
		"a later code":           {problem(404, "news"), tokens.BadAnswer, 0, "status 404"},
		"no route":               {problem(404, wire.NoRouteCode), tokens.BadAnswer, 0, "status 404"},
		"200 of a web page":      {says(200, "<html>"), tokens.BadAnswer, 0, "cannot be read"},
		"404 of a web page":      {says(404, "<html>"), tokens.BadAnswer, 0, "no authority"},
		"421 of a server":        {says(421, "Misdirected"), tokens.BadAnswer, 0, "host name"},
		"a redirect":             {says(302, "", "Location", "/elsewhere"), tokens.BadAnswer, 0, "no authority"},
		"another token":          {knows(tokens.IDOf("dapi-other"), at(1)), tokens.BadAnswer, 0, "another token"},
		"no position":            {knows(someToken, wire.Position{}), tokens.BadAnswer, 0, "cannot be read"},
		"too long":               {says(200, strings.Repeat(" ", wire.MaxAnswer+1)), tokens.BadAnswer, 0, "too long"},
		"cut off in the middle":  {says(200, "{", "Content-Length", "2"), tokens.AuthorityUnreachable, 0, "the connection broke"},
		"a negative age":         {says(200, wire.TokenAnswer{Token: &wire.Token{ID: someToken.String()}, AgeMS: -1, Position: at(1)}), tokens.BadAnswer, 0, "cannot be read"},
		"unknown for minus 1 ms": {says(404, wire.Problem{Code: wire.UnknownTokenCode, AgeMS: -1}), tokens.BadAnswer, 0, "no authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": c.answer})
			_, err := newGateway(t, []*script{authority}).unsubscribed().lookup(someToken)
			got, ok := errors.AsType[*tokens.UnavailableError](err)
			switch {
			case !ok || got.Outage != c.want || got.RetryAfter != c.retry:
				t.Errorf("%#v, want %s and to retry after %s", err, c.want, c.retry)
			case !strings.Contains(err.Error(), c.text):
				t.Errorf("%q does not say %q", err, c.text)
			case strings.Contains(err.Error(), edgeToken):
				t.Errorf("%q has a secret", err)
			}
			if asked := len(authority.requests("GET tokens")); asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

// TestLookupAges lets time pass while an authority answers: facts may be that old, too.
func TestLookupAges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		age    time.Duration // before the request
		err    error
	}{
		"found":       {says(200, wire.TokenAnswer{Token: &wire.Token{ID: someToken.String(), Expires: -1, Owner: wire.Principal{ID: 5}}, AgeMS: 1500, Workspace: 4711, Position: at(1)}), 1500 * time.Millisecond, nil},
		"fresh":       {knows(someToken, at(1)), 0, nil},
		"unknown":     {says(404, wire.Problem{Code: wire.UnknownTokenCode, AgeMS: 2500, Workspace: 4711}), 2500 * time.Millisecond, tokens.ErrUnknownToken},
		"very old":    {says(200, wire.TokenAnswer{Token: &wire.Token{ID: someToken.String(), Expires: -1}, AgeMS: 1<<63 - 1, Position: at(1)}), maxAge * time.Millisecond, nil},
		"unknown now": {says(404, wire.Problem{Code: wire.UnknownTokenCode}), 0, tokens.ErrUnknownToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var g *gateway
			authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": func(w http.ResponseWriter, r *http.Request) {
				g.clock.pass(10 * time.Second)
				c.answer(w, r)
			}})
			g = newGateway(t, []*script{authority}).unsubscribed()
			began := g.clock.now()
			answer, err := g.lookup(someToken)
			if !errors.Is(err, c.err) || answer.ID != someToken {
				t.Fatalf("%+v, %v, want %v", answer, err, c.err)
			}
			if want := began.Add(-c.age); !answer.At.Equal(want) {
				t.Errorf("it is %s older than the request, want %s", began.Sub(answer.At), c.age)
			}
			if (answer.Info != nil) != (c.err == nil) {
				t.Errorf("%+v", answer.Info)
			}
			if told := name == "found" || name == "unknown"; told != (g.WorkspaceID() == 4711) {
				t.Errorf("workspace %d", g.WorkspaceID())
			}
		})
	}
}

// TestLookupAsks checks what an authority is sent.
func TestLookupAsks(t *testing.T) {
	t.Parallel()
	authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": knows(someToken, at(1))})
	g := newGateway(t, []*script{authority}).unsubscribed()
	for _, after := range []time.Time{{}, g.clock.now().Add(-1500 * time.Millisecond), g.clock.now().Add(time.Hour)} {
		if _, err := g.Lookup(context.Background(), tokens.Query{ID: someToken, After: after}); err != nil {
			t.Fatal(err)
		}
	}
	path := wire.Prefix + "tokens/" + someToken.String()
	for i, want := range []string{path, path + "?newer_than_ms=1500", path + "?newer_than_ms=0"} {
		got := authority.requests("GET tokens")[i]
		if got.path != want {
			t.Errorf("%s, want %s", got.path, want)
		}
		for header, want := range map[string]string{
			"Authorization": "Bearer " + edgeToken, wire.WorkspaceHeader: workspace, wire.NameHeader: "edge-1", wire.VersionHeader: "v9",
		} {
			if got := got.header.Get(header); got != want {
				t.Errorf("%s: %q, want %q", header, got, want)
			}
		}
	}
}

// TestLookupBehind is about authorities that have not heard yet of what this edge has applied.
func TestLookupBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []wire.Position // the last one stays
		asked   int32
		err     bool
	}{
		"in time":            {[]wire.Position{at(7)}, 1, false},
		"ahead":              {[]wire.Position{at(9)}, 1, false},
		"behind, then not":   {[]wire.Position{at(5), at(6), at(7)}, 3, false},
		"behind":             {[]wire.Position{at(6)}, int32(len(behind)), true},
		"of another epoch":   {[]wire.Position{{Epoch: "f", Generation: 1}}, 1, false},
		"at the last chance": {[]wire.Position{at(5), at(5), at(5), at(7)}, int32(len(behind)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": func(w http.ResponseWriter, r *http.Request) {
				n := min(int(asked.Add(1)), len(c.answers))
				knows(someToken, c.answers[n-1])(w, r)
			}})
			g := newGateway(t, []*script{authority}).unsubscribed()
			g.subscription.applied(at(7))
			answer, err := g.lookup(someToken)
			if outage, ok := errors.AsType[*tokens.UnavailableError](err); c.err != (ok && outage.Outage == tokens.TooOld) || c.err != (err != nil) {
				t.Errorf("%v", err)
			}
			if c.err != (answer.Info == nil) {
				t.Errorf("%+v", answer)
			}
			if got := asked.Load(); got != c.asked {
				t.Errorf("asked %d times, want %d", got, c.asked)
			}
		})
	}
}

// TestLookupBesideChanges: changes that are applied while a look-up is under way do not make its
// answer too old. Who reports changes all the time would keep everybody else from an answer.
func TestLookupBesideChanges(t *testing.T) {
	t.Parallel()
	var g *gateway
	next := at(7)
	authority := newScript(t, map[string]http.HandlerFunc{"GET tokens": func(w http.ResponseWriter, r *http.Request) {
		position := next
		next.Generation++
		g.subscription.applied(next)
		knows(someToken, position)(w, r)
	}})
	g = newGateway(t, []*script{authority}).unsubscribed()
	g.subscription.applied(next)
	if answer, err := g.lookup(someToken); err != nil || answer.Info == nil {
		t.Errorf("%+v, %v", answer, err)
	}
}
