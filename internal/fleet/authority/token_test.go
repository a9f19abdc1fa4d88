package authority

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

func decode[T any](t *testing.T, r *reply) (value T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &value); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return value
}

func TestToken(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 42)
	f.tokens.names[42] = "alice@example.com"
	f.log.add(fleet.Change{Kind: fleet.AllChanged})
	got := f.ask("GET", tokenPath(id), nil)
	f.expect(got, 200, "")
	want := wire.TokenAnswer{
		Token: &wire.Token{
			ID: id.String(), Owner: wire.Principal{ID: 42, Name: "alice@example.com"}, Creator: wire.Principal{ID: 7, Name: "admin@example.com"},
			WorkspaceID: 4711, Expires: 1_900_000_000_000, Created: 1_700_000_000_000, Scopes: []string{"sql"}, Comment: "a comment",
		},
		AgeMS: 1002, Workspace: 4711, Position: wire.Position{Epoch: "epoch-1", Generation: 1},
	}
	if answer := decode[wire.TokenAnswer](t, got); !reflect.DeepEqual(answer, want) {
		t.Errorf("got  %+v\nwant %+v", answer, want)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", wire.VersionHeader: "v1.2.3"} {
		if got.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
		}
	}
	if fresh := f.tokens.fresh[0]; fresh.TTL != tokens.DefaultFreshness.TTL || !fresh.UnknownExpiry || fresh.NegativeTTL != tokens.DefaultFreshness.NegativeTTL {
		t.Errorf("asked with %+v", fresh)
	}
}

func TestTokenExpiry(t *testing.T) {
	f := newFixture(t)
	for want, expiry := range map[int64]tokens.Expiry{-1: tokens.NeverExpires, 0: {}, 5000: tokens.ExpiresAt(time.UnixMilli(5000))} {
		id := f.know(fmt.Sprint(want), 1)
		f.tokens.facts[id].Info.Expires = expiry
		if answer := decode[wire.TokenAnswer](t, f.ask("GET", tokenPath(id), nil)); answer.Token.Expires != want {
			t.Errorf("%+v became %d, want %d", expiry, answer.Token.Expires, want)
		}
	}
}

func TestNewerThan(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	f.tokens.cached[id] = true
	for _, test := range []struct {
		query string
		ttl   time.Duration // -1: refused
	}{
		{"", time.Minute},
		{"?newer_than_ms=30000", 30 * time.Second},
		{"?newer_than_ms=0", 0},
		{"?newer_than_ms=90000", time.Minute},
		{"?newer_than_ms=1099511627776", time.Minute},
		{"?newer_than_ms=1099511627777", -1},
		{"?newer_than_ms=", -1},
		{"?newer_than_ms=-1", -1},
		{"?newer_than_ms=1.5", -1},
		{"?newer_than_ms=%2B1", -1},
		{"?newer_than_ms=01", -1},
		{"?newer_than_ms=99999999999999999999", -1},
		{"?newer_than_ms=1&newer_than_ms=2", -1},
		{"?newer_than_ms=1&limit=9", -1},
		{"?Newer_Than_Ms=1", -1},
		{"?newer_than_ms=1;x=2", -1},
		{"?all", -1},
		{"?%zz", -1},
	} {
		before := f.tokens.lookups()
		got := f.ask("GET", tokenPath(id)+test.query, nil)
		if test.ttl < 0 {
			f.expect(got, 400, wire.MalformedCode)
			if f.tokens.lookups() != before {
				t.Errorf("%s: looked up", test.query)
			}
			continue
		}
		f.expect(got, 200, "")
		if fresh := f.tokens.fresh[before]; fresh.TTL != test.ttl {
			t.Errorf("%s: TTL %v, want %v", test.query, fresh.TTL, test.ttl)
		}
	}
}

func TestTokenRefusals(t *testing.T) {
	f := newFixture(t)
	lookedUp := f.clock.now().Add(-250 * time.Millisecond)
	set := func(name string, err error, at time.Time) tokens.ID {
		id := tokens.IDOf(name)
		f.tokens.errs[id], f.tokens.errsAt[id] = err, at
		return id
	}
	outage := func(o tokens.Outage, retry time.Duration, inner error) error {
		return &tokens.UnavailableError{Outage: o, RetryAfter: retry, Err: inner}
	}
	for _, test := range []struct {
		name, path string
		status     int
		want       wire.Problem // without the message
		retry      string
	}{
		{"unknown", tokenPath(set("a", tokens.ErrUnknownToken, lookedUp)), 404, wire.Problem{Code: wire.UnknownTokenCode, AgeMS: 250, Workspace: 4711}, ""},
		{"unknown before", tokenPath(set("b", tokens.ErrUnknownToken, time.Time{})), 404, wire.Problem{Code: wire.UnknownTokenCode, AgeMS: 10_000, Workspace: 4711}, ""},
		{"throttled", tokenPath(set("c", outage(tokens.Throttled, 2500*time.Millisecond, nil), lookedUp)), 503, wire.Problem{Code: wire.UnavailableCode, Outage: "throttled"}, "3"},
		{"no time known", tokenPath(set("d", outage(tokens.TimedOut, 0, errors.New("dial tcp secret.internal")), lookedUp)), 503, wire.Problem{Code: wire.UnavailableCode, Outage: "timeout"}, "1"},
		{"paused", tokenPath(set("e", outage(tokens.Paused, 7*time.Second, outage(tokens.Rejected, time.Second, nil)), time.Time{})), 503, wire.Problem{Code: wire.UnavailableCode, Outage: "admin_rejected"}, "7"},
		{"its own failure", tokenPath(set("f", outage(tokens.UnusableAnswer, 10*time.Second, nil), lookedUp)), 503, wire.Problem{Code: wire.UnavailableCode, Outage: "unusable_answer"}, "10"},
		{"too short", wire.Prefix + "tokens/abc", 400, wire.Problem{Code: wire.MalformedCode}, ""},
		{"upper case", strings.Replace(tokenPath(tokens.IDOf("g")), tokens.IDOf("g").String(), strings.ToUpper(tokens.IDOf("g").String()), 1), 400, wire.Problem{Code: wire.MalformedCode}, ""},
		{"a token's value", wire.Prefix + "tokens/dapi0123456789abcdef0123456789abcdef", 400, wire.Problem{Code: wire.MalformedCode}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := f.ask("GET", test.path, nil)
			p := got.problem(t)
			if strings.Contains(p.Message, "secret") || strings.Contains(p.Message, "dapi") || p.Message == "" {
				t.Errorf("it says %q", p.Message)
			}
			p.Message = ""
			if got.status != test.status || p != test.want || got.header.Get("Retry-After") != test.retry {
				t.Errorf("status %d, %+v, Retry-After %q; want %d, %+v, %q", got.status, p, got.header.Get("Retry-After"), test.status, test.want, test.retry)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 42)
	owner := func(id any) string { return fmt.Sprintf("%sowners/%v", wire.Prefix, id) }
	f.tokens.names[42], f.tokens.names[43] = "alice@example.com", "bob@example.com"
	f.expect(f.ask("GET", owner(42), nil), 404, wire.UnknownOwnerCode)
	f.expect(f.ask("GET", tokenPath(id), nil), 200, "")
	got := f.ask("GET", owner(42), nil)
	f.expect(got, 200, "")
	if answer := decode[wire.OwnerAnswer](t, got); answer.Owner != (wire.Principal{ID: 42, Name: "alice@example.com"}) {
		t.Errorf("got %+v", answer)
	}
	f.expect(f.ask("GET", owner(43), nil), 404, wire.UnknownOwnerCode)
	f.expect(f.ask("GET", owner(7), nil), 404, wire.UnknownOwnerCode) // only a creator
	f.expect(f.ask("GET", owner(42), nil, named("edge-2")), 404, wire.UnknownOwnerCode)
	for _, odd := range []any{"0", "-42", "042", "+42", "4.2", "alice", "99999999999999999999", "42%20"} {
		f.expect(f.ask("GET", owner(odd), nil), 400, wire.MalformedCode)
	}
	f.tokens.names[42] = ""
	if answer := decode[wire.OwnerAnswer](t, f.ask("GET", owner(42), nil)); answer.Owner != (wire.Principal{ID: 42}) {
		t.Errorf("without a name: %+v", answer)
	}
	f.tokens.nameErr = &tokens.UnavailableError{Outage: tokens.Throttled, RetryAfter: 4 * time.Second}
	if got := f.ask("GET", owner(42), nil); got.status != 503 || got.header.Get("Retry-After") != "4" || got.problem(t).Outage != "throttled" {
		t.Errorf("in an outage: %d %s", got.status, got.body)
	}
}

// TestUnknownRate: invented tokens are refused before they are looked up.
func TestUnknownRate(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits = Limits{Rate: 1000, Unknown: 5} })
	known, found := f.know("known", 1), f.know("found", 1)
	f.tokens.cached[known] = true
	invent := func(n int) (passed int) {
		for i := range n {
			id := tokens.IDOf(fmt.Sprint(f.clock.now(), i))
			f.tokens.errsAt[id] = f.clock.now()
			if got := f.ask("GET", tokenPath(id), nil); got.status == 404 {
				passed++
			} else {
				f.expect(got, 429, wire.RateCode)
			}
		}
		return passed
	}
	for range 50 { // those that there are cost nothing
		f.expect(f.ask("GET", tokenPath(found), nil), 200, "")
	}
	before := f.tokens.lookups()
	if got := invent(40); got != 20 || f.tokens.lookups() != before+20 {
		t.Errorf("%d passed and %d were looked up, want 20", got, f.tokens.lookups()-before)
	}
	f.expect(f.ask("GET", tokenPath(known), nil), 200, "")
	f.expect(f.ask("GET", tokenPath(known)+"?newer_than_ms=0", nil), 429, wire.RateCode)
	f.expect(f.ask("GET", tokenPath(known)+"?newer_than_ms=1000", nil), 200, "")
	f.clock.pass(time.Second)
	if got := invent(10); got != 5 {
		t.Errorf("a second later %d passed, want 5", got)
	}
}

// TestUnknownRateInOutage: an outage is told as one, not as too many requests.
func TestUnknownRateInOutage(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits = Limits{Rate: 1000, Unknown: 1} })
	id := tokens.IDOf("a")
	f.tokens.errs[id] = &tokens.UnavailableError{Outage: tokens.Paused, RetryAfter: time.Second}
	for range 20 {
		f.expect(f.ask("GET", tokenPath(id), nil), 503, wire.UnavailableCode)
	}
}
