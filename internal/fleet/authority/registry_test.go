package authority

import (
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestOwnersBounded: an edge is not remembered to have been told of everybody.
func TestOwnersBounded(t *testing.T) {
	g := newRegistry(DefaultLimits)
	e := g.find(&identity{key: "a"}, "", time.Now())
	for owner := range int64(maxOwners + 10) {
		g.told(e, owner) // 0 is nobody
		g.told(e, owner)
	}
	if len(e.owners) != maxOwners || g.mayAsk(e, 0) || g.mayAsk(e, 9) || !g.mayAsk(e, 10) || !g.mayAsk(e, maxOwners+9) {
		t.Errorf("%d owners are remembered", len(e.owners))
	}
}

func TestRate(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits = Limits{Rate: 10, Unknown: 5} })
	id := f.know("a", 1)
	f.tokens.cached[id] = true
	count := func(name string) (passed int) {
		for range 30 {
			got := f.ask("GET", tokenPath(id), nil, named(name))
			if got.status == 200 {
				passed++
				continue
			}
			f.expect(got, 429, wire.RateCode)
			if got.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
			}
		}
		return passed
	}
	if first := count("a"); first != 20 {
		t.Errorf("%d requests at once, want 20", first)
	}
	if other := count("b"); other != 20 {
		t.Errorf("another edge: %d requests at once, want 20", other)
	}
	f.clock.pass(500 * time.Millisecond)
	if later := count("a"); later != 5 {
		t.Errorf("half a second later: %d, want 5", later)
	}
	contains(t, f.observer.refused, "rate")
}

// TestAddressRate: choosing another name gains no more than a number of edges would.
func TestAddressRate(t *testing.T) {
	limits := Limits{Rate: 10, Unknown: 1, Edges: 100}
	g, now := newRegistry(limits), time.Now()
	passed, unknown := 0, 0
	for i := range 5000 {
		e := g.find(&identity{key: fmt.Sprint("token\x00192.0.2.1\x00", i), name: fmt.Sprint(i), address: "192.0.2.1"}, "", now)
		if e.take(now, 1, requestsOf) {
			passed++
		}
		if _, _, ok := e.takeUnknown(now); ok {
			unknown++
		}
	}
	if passed != 2*addressFactor*limits.Rate || unknown != 4*addressFactor*limits.Unknown {
		t.Errorf("%d requests passed and %d look-ups, want %d and %d", passed, unknown, 2*addressFactor*limits.Rate, 4*addressFactor*limits.Unknown)
	}
	if n := g.others.Len(); n > limits.Edges {
		t.Errorf("%d edges are remembered", n)
	}
	if e := g.find(&identity{key: "new", name: "new", address: "192.0.2.1"}, "", now); e.name != "others at 192.0.2.1" {
		t.Errorf("one name too many is an edge of its own: %q", e.name)
	}
	if e := g.find(&identity{key: "token\x00192.0.2.2\x00a", name: "a", address: "192.0.2.2"}, "", now); !e.take(now, 1, requestsOf) || e.name != "a" {
		t.Error("another address suffers")
	}
	if e := g.find(&identity{key: "certificate\x00a", name: "a"}, "", now); !e.take(now, 1, requestsOf) || e.address != nil {
		t.Error("a verified edge suffers")
	}
}

func TestBucket(t *testing.T) {
	b, now := newBucket(2, 4), time.Now()
	take := func(want bool) {
		t.Helper()
		if _, ok := b.take(now); ok != want {
			t.Errorf("took %v, want %v", ok, want)
		}
	}
	for range 4 {
		take(true)
	}
	if wait, ok := b.take(now); ok || wait != 500*time.Millisecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	b.refund()
	take(true)
	now = now.Add(-time.Hour) // the clock was set back
	take(false)
	now = now.Add(time.Hour + 500*time.Millisecond)
	take(true)
	take(false)
	for range 9 {
		b.refund()
	}
	for range 4 {
		take(true)
	}
	take(false)
}

// TestAddressStreams: one address takes no more than half of the places for streams.
func TestAddressStreams(t *testing.T) {
	limits := DefaultLimits
	limits.Edges = 100
	g, now := newRegistry(limits), time.Now()
	var held []*stream
	for i := range 100 {
		e := g.find(&identity{key: fmt.Sprint("one\x00", i), name: "edge", address: "192.0.2.1"}, "", now)
		if st := (&stream{edge: e}); g.subscribe(e, st, now) {
			held = append(held, st)
		}
	}
	if len(held) != 50 {
		t.Errorf("one address has %d of 100 places, want 50", len(held))
	}
	for name, who := range map[string]*identity{"another address": {key: "a", address: "192.0.2.2"}, "verified": {key: "b"}} {
		if e := g.find(who, "", now); !g.subscribe(e, &stream{edge: e}, now) {
			t.Errorf("%s: no place", name)
		}
	}
	g.leave(held[0], now)
	e := g.find(&identity{key: "c", address: "192.0.2.1"}, "", now)
	if !g.subscribe(e, &stream{edge: e}, now) {
		t.Error("no place after one became free")
	}
}
