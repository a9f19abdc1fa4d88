package authority

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

func TestEdges(t *testing.T) {
	f := newFixture(t)
	client := f.ownClient()
	b := f.subscribe(client, "", named("b"))
	b.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	f.clock.pass(time.Second)
	a := f.subscribe(f.http.Client(), "", named("a"))
	a.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	f.ask("GET", wire.Prefix+"owners/1", nil, named("c")) // never subscribed
	names := func() (all []string) {
		for _, e := range f.server.Edges() {
			all = append(all, fmt.Sprint(e.Name, " ", e.Connected))
		}
		return all
	}
	if got := names(); !slices.Equal(got, []string{"a true", "b true"}) {
		t.Errorf("%q", got)
	}
	b.leave()
	until(t, "b is gone", func() bool { return slices.Equal(names(), []string{"a true", "b false"}) })
	f.clock.pass(goneAge - time.Second)
	if got := names(); !slices.Equal(got, []string{"a true", "b false"}) {
		t.Errorf("%q", got)
	}
	f.clock.pass(time.Second)
	if got := names(); !slices.Equal(got, []string{"a true"}) {
		t.Errorf("%q", got)
	}
}

// TestStragglers: a list of names stays short.
func TestStragglers(t *testing.T) {
	f := newServer(t)
	for i := range 3 * maxStragglers {
		e := f.server.edges.find(&identity{key: fmt.Sprint(i), name: fmt.Sprint(i)}, "", f.clock.now())
		f.server.edges.subscribe(e, &stream{edge: e, name: e.name}, f.clock.now())
	}
	if got := f.server.Progress(7); got.Edges != 3*maxStragglers || got.Applied != 0 || len(got.Stragglers) != maxStragglers {
		t.Errorf("%d edges, %d stragglers", got.Edges, len(got.Stragglers))
	}
}
