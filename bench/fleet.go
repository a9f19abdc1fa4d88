package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// fleetLimit bounds the whole measurement.
	fleetLimit = 8 * time.Minute
	// phaseLimit bounds every wait.
	phaseLimit = 30 * time.Second
	// tokensOfEdge is how many tokens an edge uses; each is used by as many edges.
	tokensOfEdge = 3
)

// fleetRun is one measurement of a fleet.
type fleetRun struct {
	*fleetLab
	results fleetResults
	tokens  []fakeworkspace.Token
	edges   []*edgeUnderTest
	cuts    []*cut // between half of the edges and the authorities
	smoke   bool
}

// measureFleet measures a fleet of edges. Nothing else is measured with it.
func measureFleet(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "scopegate-fleet-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fleetLimit)
	defer cancel()
	n := o.edges
	if o.smoke {
		n = min(n, 20)
	}
	began := time.Now()
	l, err := startFleetLab(ctx, dir)
	if err != nil {
		return err
	}
	defer l.stop()
	r := &fleetRun{fleetLab: l, smoke: o.smoke}
	defer r.stopEdges()
	r.results.Machine, r.results.Edges = thisMachine(), n
	for _, phase := range []struct {
		name string
		does func(context.Context) error
	}{
		{"cold start", r.cold}, {"steady state", r.steady}, {"look-ups", r.lookups}, {"revocations", r.revocations},
		{"an authority is killed", r.authorityKilled}, {"Redis is killed", r.redisKilled}, {"half of the edges are cut off", r.partition},
	} {
		say("%s …", phase.name)
		if err := phase.does(ctx); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	r.results.Took = time.Since(began).Round(time.Second).String()
	if err := r.results.write(o.out); err != nil {
		return err
	}
	if len(r.results.Missing) > 0 {
		return fmt.Errorf("%d things did not happen in time", len(r.results.Missing))
	}
	return nil
}

// pause is how long a phase lasts, or a moment in a smoke run.
func (r *fleetRun) pause(d time.Duration) time.Duration {
	if r.smoke {
		return min(d, 500*time.Millisecond)
	}
	return d
}

// cold starts all edges at once. Half of them reach the authorities by a network that can be
// cut.
func (r *fleetRun) cold(ctx context.Context) error {
	n := r.results.Edges
	r.results.Tokens = n
	for i := range n {
		r.tokens = append(r.tokens, r.workspace.Mint(fakeworkspace.TokenSpec{
			Owner: fmt.Sprintf("someone.%d@example.com", i%200), Scopes: []string{"jobs"}, Lifetime: 24 * time.Hour,
		}))
	}
	var direct, byCut []string
	for _, a := range r.authorities {
		c, err := startCut(a.address())
		if err != nil {
			return err
		}
		r.cuts = append(r.cuts, c)
		direct = append(direct, fmt.Sprintf("https://localhost:%d", a.port))
		byCut = append(byCut, fmt.Sprintf("https://localhost:%d", c.port()))
	}
	_, before := r.cost()
	r.workspace.Reset()
	began := time.Now()
	for i := range n {
		urls := direct
		if i%2 == 1 {
			urls = byCut
		}
		if i/2%2 == 1 { // as many prefer one as the other
			urls = []string{urls[1], urls[0]}
		}
		e, err := startEdge(edgeSettings{
			name: fmt.Sprintf("edge-%d", i+1), urls: urls, workspace: r.workspace.URL(), tokenFile: r.edgeToken, trust: r.trust,
		})
		if err != nil {
			return err
		}
		r.edges = append(r.edges, e)
	}
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i, e := range r.edges {
		for j := range tokensOfEdge {
			wg.Go(func() {
				if err := resolveSoon(ctx, e, idOf(r.tokens[(i+j*n/tokensOfEdge)%n])); err != nil {
					failed.Add(1)
				}
			})
		}
	}
	wg.Wait()
	r.results.Cold.Seconds = time.Since(began).Seconds()
	if f := failed.Load(); f > 0 {
		r.results.miss(fmt.Errorf("%d look-ups of a cold start failed for %v", f, phaseLimit))
	}
	r.results.miss(within(ctx, phaseLimit, "all edges to be subscribed", r.allConnected))
	r.results.Cold.Subscribed = time.Since(began).Seconds()
	counts := r.workspace.Counts()
	r.results.Cold.Lookups, r.results.Cold.Lists = counts.Lookups, counts.Lists
	_, after := r.cost()
	r.results.Steady.Memory = float64(after-before) / float64(n)
	return nil
}

// resolveSoon asks again, as clients do, until it has an answer or patience ends.
func resolveSoon(ctx context.Context, e *edgeUnderTest, id tokens.ID) (err error) {
	for deadline := time.Now().Add(phaseLimit); time.Now().Before(deadline); {
		if err = e.resolve(ctx, id); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50*time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond))))
	}
	return err
}

func idOf(t fakeworkspace.Token) tokens.ID { return tokens.IDOf(t.Value) }

func (r *fleetRun) allConnected() bool {
	for _, e := range r.edges {
		if _, up := e.connected(); !up {
			return false
		}
	}
	return true
}

// steady watches the fleet while nothing changes and edges use what they know.
func (r *fleetRun) steady(ctx context.Context) error {
	r.workspace.Reset()
	lasts := r.pause(15 * time.Second)
	cpu, _ := r.cost()
	began := time.Now()
	for time.Since(began) < lasts {
		for i, e := range r.edges {
			if err := e.resolve(ctx, idOf(r.tokens[i])); err != nil {
				return fmt.Errorf("a known token: %w", err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	after, _ := r.cost()
	r.results.Steady.Seconds, r.results.Steady.Lookups = took.Seconds(), r.workspace.Lookups()
	r.results.Steady.CPU = float64((after - cpu).Microseconds()) / took.Seconds() / float64(len(r.edges))
	return nil
}

// lookups has two edges of one authority look up new tokens, one after the other.
func (r *fleetRun) lookups(ctx context.Context) error {
	rounds := 200
	if r.smoke {
		rounds = 5
	}
	const other = 4 // prefers the same authority as edge 0, by the same network
	var asked, found []float64
	for range rounds {
		id := idOf(r.workspace.Mint(fakeworkspace.TokenSpec{Owner: "new@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}))
		for _, one := range []struct {
			edge  *edgeUnderTest
			times *[]float64
		}{{r.edges[0], &asked}, {r.edges[min(other, len(r.edges)-1)], &found}} {
			began := time.Now()
			if err := one.edge.resolve(ctx, id); err != nil {
				return fmt.Errorf("a new token: %w", err)
			}
			*one.times = append(*one.times, float64(time.Since(began).Microseconds())/1e3)
			time.Sleep(5 * time.Millisecond) // within the rate of one edge
		}
	}
	r.results.Asked, r.results.Found = spreadOf(asked, rounds), spreadOf(found, rounds)
	return nil
}

// revocations revokes one token after the other through one authority or the other.
func (r *fleetRun) revocations(ctx context.Context) error {
	rounds := 40
	if r.smoke {
		rounds = 3
	}
	var all []float64
	for i := range rounds {
		times, err := r.revoke(ctx, r.authorities[i%len(r.authorities)], r.edges)
		all = append(all, times...)
		if err != nil { // so would the others
			r.results.miss(err)
			rounds = i + 1
			break
		}
	}
	r.results.Revocation = spreadOf(all, rounds)
	return nil
}

// revoke revokes a token that no edge has to know, and returns how long it took, in
// milliseconds, until each of some edges had applied the change.
func (r *fleetRun) revoke(ctx context.Context, through *authority, edges []*edgeUnderTest) (times []float64, err error) {
	token := r.workspace.Mint(fakeworkspace.TokenSpec{Owner: "victim@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
	id := idOf(token)
	if err := resolveSoon(ctx, edges[0], id); err != nil {
		return nil, fmt.Errorf("a token that is to be revoked: %w", err)
	}
	r.workspace.Revoke(token.Info.TokenId)
	began := time.Now()
	if err := through.forget(ctx, token.Info.TokenId); err != nil {
		return nil, err
	}
	err = within(ctx, phaseLimit, fmt.Sprintf("a revocation to reach %d edges", len(edges)), func() bool {
		for _, e := range edges {
			if _, applied := e.applied(id, began); !applied {
				return false
			}
		}
		return true
	})
	for _, e := range edges {
		if at, applied := e.applied(id, began); applied {
			times = append(times, float64(at.Sub(began).Microseconds())/1e3)
		}
	}
	if err == nil && edges[0].resolve(ctx, id) == nil {
		err = errors.New("a revoked token is known after its change was applied")
	}
	return times, err
}

// authorityKilled kills the first authority, and starts it again.
func (r *fleetRun) authorityKilled(ctx context.Context) error {
	killed, left := r.authorities[0], r.authorities[1]
	killed.kill()
	began := time.Now()
	r.results.miss(within(ctx, phaseLimit, "all edges to subscribe to the other authority", r.allConnectedTo(left)))
	r.results.Resubscribed = time.Since(began).Seconds()
	times, err := r.revoke(ctx, left, r.edges)
	r.results.miss(err)
	r.results.AfterKill = spreadOf(times, 1)
	return killed.start(ctx, r.program)
}

// allConnectedTo reports whether all edges are subscribed to an authority.
func (r *fleetRun) allConnectedTo(a *authority) func() bool {
	urls := map[string]bool{fmt.Sprintf("https://localhost:%d", a.port): true}
	for i, other := range r.authorities {
		if other == a {
			urls[fmt.Sprintf("https://localhost:%d", r.cuts[i].port())] = true
		}
	}
	return func() bool {
		for _, e := range r.edges {
			if url, up := e.connected(); !up || !urls[url] {
				return false
			}
		}
		return true
	}
}

// redisKilled asks edges while Redis is dead, and starts it again, empty.
func (r *fleetRun) redisKilled(ctx context.Context) error {
	_ = r.redis.cmd.Process.Kill()
	<-r.redis.exited
	for range int(r.pause(5*time.Second) / (100 * time.Millisecond)) {
		fresh := r.workspace.Mint(fakeworkspace.TokenSpec{Owner: "new@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
		i := rand.IntN(len(r.edges))
		count(&r.results.Without.Known, r.edges[i].resolve(ctx, idOf(r.tokens[i])))
		count(&r.results.Without.New, r.edges[i].resolve(ctx, idOf(fresh)))
		time.Sleep(100 * time.Millisecond)
	}
	if err := r.startRedis(ctx); err != nil {
		return err
	}
	began := time.Now()
	times, err := r.revoke(ctx, r.authorities[1], r.edges)
	r.results.miss(err)
	r.results.SharedAgain = time.Since(began).Seconds()
	r.results.AfterRedis = spreadOf(times, 1)
	return nil
}

func count(a *asked, err error) {
	a.Asked++
	if err != nil {
		a.Failed++
	}
}

// partition silences the network of half of the edges, and revokes a token meanwhile.
func (r *fleetRun) partition(ctx context.Context) error {
	r.results.miss(within(ctx, phaseLimit, "all edges to be subscribed", r.allConnected))
	var near, far []*edgeUnderTest
	for i, e := range r.edges {
		if i%2 == 1 {
			far = append(far, e)
		} else {
			near = append(near, e)
		}
	}
	for _, c := range r.cuts {
		c.freeze()
	}
	times, err := r.revoke(ctx, r.authorities[0], near)
	r.results.miss(err)
	r.results.Partitioned = spreadOf(times, 1)
	time.Sleep(r.pause(10 * time.Second))
	token := r.workspace.Mint(fakeworkspace.TokenSpec{Owner: "victim@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
	id := idOf(token)
	r.workspace.Revoke(token.Info.TokenId)
	told := time.Now()
	if err := r.authorities[0].forget(ctx, token.Info.TokenId); err != nil {
		return err
	}
	for _, c := range r.cuts {
		c.thaw()
	}
	began := time.Now()
	r.results.miss(within(ctx, phaseLimit, "the edges that were cut off to have what they missed", func() bool {
		for _, e := range far {
			if _, applied := e.applied(id, told); !applied {
				return false
			}
		}
		return true
	}))
	r.results.CaughtUp = time.Since(began).Seconds()
	return nil
}

func (r *fleetRun) stopEdges() {
	for _, c := range r.cuts {
		c.stop()
	}
	var wg sync.WaitGroup
	for _, e := range r.edges {
		wg.Go(e.close)
	}
	wg.Wait()
}
