package soak

import (
	"context"
	"flag"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// fleetSoak is how long TestFleetSoak runs. For ten minutes with twenty edges:
//
//	go test ./test/soak -run Fleet -fleet 10m -timeout 15m -v
var (
	fleetSoak  = flag.Duration("fleet", 6*time.Second, "how long TestFleetSoak runs; 10m is a soak, 0 skips it")
	fleetEdges = flag.Int("fleet-edges", 0, "edges of TestFleetSoak; 0 is 20 in a run of a minute or more, otherwise 4")
)

// fleetRun is one soak of a fleet.
type fleetRun struct {
	t           *testing.T
	rig         *fleettest.Rig
	authorities []*fleettest.Gateway
	edges       []*fleettest.Gateway
	truth       *truth
	weather     *weather

	mu     sync.Mutex
	counts map[string]int
	wrongs int
}

const fleetAuthorities = 3

// TestFleetSoak uses tokens at edges and authorities, and revokes and narrows them, while Redis
// and the authorities fail one after the other and together. It compares every answer with
// what is true, and with how long a change may take.
func TestFleetSoak(t *testing.T) {
	if *fleetSoak == 0 {
		t.Skip("skipped: -fleet is 0")
	}
	f := newFleetRun(t)
	ctx, cancel := context.WithTimeout(t.Context(), *fleetSoak)
	defer cancel()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	for _, g := range slices.Concat(f.authorities, f.edges) {
		wg.Go(func() { f.call(ctx, g) })
	}
	wg.Go(func() { f.change(ctx) })
	f.disturb(ctx)
	wg.Wait()
	f.settle()
	f.report()
}

func newFleetRun(t *testing.T) *fleetRun {
	t.Helper()
	edges := *fleetEdges
	if edges == 0 {
		edges = 4
		if *fleetSoak >= time.Minute {
			edges = 20
		}
	}
	f := &fleetRun{t: t, counts: make(map[string]int), weather: new(weather)}
	f.rig = fleettest.New(t, true, fakeworkspace.WithMaxRequestLog(0))
	f.truth = &truth{weather: f.weather, ttl: fleetTTL(*fleetSoak)}
	cache := func(_ int, s *fleettest.Setting) {
		s.Cache = "ttl " + f.truth.ttl.String() + "\nmax_stale 1h\nnegative_ttl 1s"
	}
	f.authorities = f.rig.Authorities(fleetAuthorities, func(i int, s *fleettest.Setting) {
		cache(i, s)
		// Most tokens are revoked by and by, and used on: that is more than an edge may guess.
		s.LetsIn = "token {file." + f.rig.EdgeToken + "}\nlimits {\nrate 1000\nunknown 1000\n}"
	})
	f.edges = f.rig.Edges(edges, cache, f.authorities...)
	for range 50 {
		f.truth.mint(f.rig)
	}
	return f
}

// fleetTTL is how long facts are fresh: long enough that changes are not found by refreshing
// what was missed.
func fleetTTL(total time.Duration) time.Duration {
	return min(max(total/5, 5*time.Second), 30*time.Second)
}

// call uses tokens at one gateway.
func (f *fleetRun) call(ctx context.Context, g *fleettest.Gateway) {
	for sleep(ctx, time.Duration(rand.Int64N(int64(20*time.Millisecond)))) {
		if rand.IntN(50) == 0 {
			f.judge(g, nil)
			continue
		}
		f.judge(g, f.truth.any())
	}
}

// judge uses a token, or an invented one, and compares the answer with what is true.
func (f *fleetRun) judge(g *fleettest.Gateway, a *fleetActor) {
	value := "dapi" + fleettest.RandomHex(16)
	if a != nil {
		value = a.value
	}
	asked := time.Now()
	got, err := g.Request(http.MethodGet, harness.JobsList, value, "")
	if err != nil {
		if f.weather.ended(g, asked) { // its process was told to end
			f.count("no answer")
			return
		}
		f.wrong("%s: asked %s: %v", g.Name, asked.Format(clock), err)
		return
	}
	if problem := f.truth.wrong(a, got, asked, time.Now()); problem != "" {
		f.wrong("%s: asked %s: %s: %v", g.Name, asked.Format(clock), problem, got)
	}
	switch {
	case got.Reason != "":
		f.count(got.Reason)
	case got.Passes():
		f.count("passed")
	default:
		f.count("refused by the workspace")
	}
}

func (f *fleetRun) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[what]++
}

func (f *fleetRun) wrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrongs++; f.wrongs <= reported {
		f.t.Errorf(format, args...)
	}
}

// settle waits until every gateway knows the truth about every token.
func (f *fleetRun) settle() {
	f.t.Helper()
	time.Sleep(time.Until(f.weather.over().Add(recovered)))
	for _, g := range slices.Concat(f.authorities, f.edges) {
		for _, a := range f.truth.all() {
			f.judge(g, a)
		}
	}
}

// report says what happened, and fails if something did not happen at all.
func (f *fleetRun) report() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	total := 0
	for _, n := range f.counts {
		total += n
	}
	lookups := f.rig.Workspace.Counts()
	f.t.Logf("%d requests at %d edges and %d authorities, %d tokens, %d look-ups, %d wrong answers; faults %v", total, len(f.edges), len(f.authorities), len(f.truth.all()), lookups.Lookups, f.wrongs, f.weather.names())
	for _, what := range slices.Sorted(maps.Keys(f.counts)) {
		f.t.Logf("%7d %s", f.counts[what], what)
	}
	for _, what := range []string{"passed", "unknown_token", "missing_scope"} {
		if f.counts[what] == 0 {
			f.t.Errorf("no answer was %s", what)
		}
	}
	if undecided := f.counts[undecidedReason]; undecided > total/100+5 {
		f.t.Errorf("%d of %d answers were %s, although there was always an authority", undecided, total, undecidedReason)
	}
	if len(f.weather.names()) < 2 {
		f.t.Errorf("only these faults: %v", f.weather.names())
	}
}
