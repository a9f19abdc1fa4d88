package soak

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// run is one soak.
type run struct {
	t         *testing.T
	times     times
	workspace *fakeworkspace.Workspace
	gateway   *gateway
	sites     []*site
	actors    []*actor
	steady    string // the token of transfers
	ledger    *ledger
	underWay  underWay
	rejection rejection
	outcomes  map[string]int

	mu       sync.Mutex
	counts   map[string]int
	problems int
	wrongs   int
}

// TestSoak sends requests with up to 2,000 tokens, and streams, transfers and WebSockets, while
// faults come and go, tokens change, the configuration is reloaded, and the process ends
// and is started again. It compares every answer with the token's true state, and the
// audit with what clients saw.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("runs with -soak <duration>")
	}
	s := newRun(t)
	end := time.Now().Add(*soak)
	s.gateway.start()
	idle := s.gateway.metric("go_goroutines")

	traffic, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	var clients, weather sync.WaitGroup
	t.Cleanup(clients.Wait)
	s.startClients(traffic, &clients)
	weather.Go(func() { s.failLookups(traffic) })
	weather.Go(func() { s.changeTokens(traffic) })
	for _, x := range s.sites {
		if !x.quiet {
			weather.Go(func() { s.disturb(traffic, x) })
		}
	}
	lives := 1
	for ; time.Until(end) > s.times.life+s.times.lastLife; lives++ {
		s.live(s.times.life)
		harness.WaitUpTo(t, time.Minute, "exchanges of each kind to be under way", s.underWay.all) // look-ups may have faults
		t.Logf("%s under way: %s; %d records lost", time.Now().Format(clock), s.underWay, s.lost())
		s.gateway.stop()
		s.gateway.start()
	}
	s.startPaused(&clients)
	s.live(time.Until(end))
	weather.Wait()
	clients.Wait()

	s.recover()
	s.settle(idle)
	s.gateway.stop()
	s.compare(t)
	s.report(lives)
}

func newRun(t *testing.T) *run {
	t.Helper()
	s := &run{
		t: t, times: timesOf(*soak), ledger: newLedger(), underWay: newUnderWay(),
		outcomes: make(map[string]int), counts: make(map[string]int),
	}
	var authority string
	s.workspace, authority = startWorkspace(t)
	s.serve()
	s.actors = mint(s.workspace, tokensFor(*soak), *soak)
	s.steady = harness.LegacyToken(s.workspace)
	for _, quiet := range []bool{false, true} {
		for _, url := range []string{s.workspace.URL(), s.workspace.TLSURL()} {
			scheme, _, _ := strings.Cut(url, ":")
			name := scheme
			if quiet {
				name += ", quiet"
			}
			s.sites = append(s.sites, &site{name: name, scheme: scheme, quiet: quiet, listen: processtest.FreeAddress(t), network: relay.Start(t, url)})
		}
	}
	id, secret := s.workspace.AdminClient()
	s.gateway = newGateway(t, s.sites, s.times,
		"DATABRICKS_CLIENT_ID="+id, "DATABRICKS_CLIENT_SECRET="+secret, "SSL_CERT_FILE="+authority)
	return s
}

// startClients starts the clients of every site.
func (s *run) startClients(ctx context.Context, clients *sync.WaitGroup) {
	for _, x := range s.sites {
		for _, client := range newClients() {
			clients.Go(func() { s.call(ctx, x, client) })
		}
		for _, client := range []client{newConnections(), h2c()} {
			if x.quiet {
				clients.Go(func() { s.transfer(ctx, s.longStream, x, client) })
				continue
			}
			clients.Go(func() { s.transfer(ctx, s.stream, x, client) })
			clients.Go(func() { s.transfer(ctx, s.upload, x, client) })
			clients.Go(func() { s.transfer(ctx, s.download, x, client) })
		}
		if !x.quiet {
			clients.Go(func() { s.transfer(ctx, s.socket, x, newConnections()) })
		}
	}
}

// startPaused starts the transfers that pause.
func (s *run) startPaused(clients *sync.WaitGroup) {
	for _, x := range s.sites {
		if !x.quiet {
			continue
		}
		for _, client := range []client{newConnections(), h2c()} {
			for _, direction := range []string{uploads, downloads} {
				clients.Go(func() { s.paused(s.t.Context(), direction, x, client) })
			}
		}
	}
}

// live lets a process live for a while, and reloads its configuration.
func (s *run) live(lasts time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), lasts)
	defer cancel()
	for sleep(ctx, s.times.reload) {
		s.gateway.reload()
	}
}

// recover waits until every site answers again. Connections that are silent stay so,
// unless that would take longer than the run.
func (s *run) recover() {
	s.t.Helper()
	s.workspace.Faults().Clear()
	if *soak < replaced {
		s.cutNetwork()
	}
	good := &actor{value: s.steady}
	began := time.Now()
	client := newConnections()
	left := slices.Clone(s.sites)
	harness.WaitUpTo(s.t, replaced, "every site to recover", func() bool {
		left = slices.DeleteFunc(left, func(x *site) bool {
			return s.callOnce(s.t.Context(), x, client, time.Second, good)
		})
		return len(left) == 0
	})
	s.t.Logf("recovered after %v", time.Since(began).Round(time.Millisecond))
}

// cutNetwork ends the connections to the workspace, silent ones too.
func (s *run) cutNetwork() {
	for _, x := range s.sites {
		x.network.Reset()
	}
}

// settle waits until the process does nothing any more.
func (s *run) settle(idle int) {
	s.t.Helper()
	s.cutNetwork()
	var goroutines, open int
	deadline := time.Now().Add(30 * time.Second)
	for ; ; time.Sleep(100 * time.Millisecond) {
		metrics := s.gateway.metrics()
		goroutines = int(harness.MetricIn(s.t, metrics, "go_goroutines"))
		open = int(harness.MetricIn(s.t, metrics, "scopegate_open_requests"))
		if goroutines <= idle+20 && open == 0 || time.Now().After(deadline) {
			break
		}
	}
	heap := s.gateway.metric("go_memstats_heap_inuse_bytes") >> 20
	s.t.Logf("%d goroutines (%d when it was new), heap %d MiB", goroutines, idle, heap)
	if goroutines > idle+20 || open != 0 {
		s.t.Errorf("%d goroutines, %d when it was new; %d open requests\n%s", goroutines, idle, open, s.stacks())
	}
	if n := s.lost(); n != 0 {
		s.t.Errorf("%d records lost", n)
	}
}

// stacks returns what the goroutines of the process do.
func (s *run) stacks() string {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://localhost/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return err.Error()
	}
	_, body, _ := s.gateway.ask(request)
	return body[:min(len(body), 20_000)]
}

// lost returns how many records the process has lost.
func (s *run) lost() int {
	return s.gateway.metric(`scopegate_audit_dropped_total{sink="output"}`)
}

// newRequest makes a request with a token.
func newRequest(ctx context.Context, method, url, token string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// reported is how many problems are told in full.
const reported = 20

// problem notes a disagreement between the audit and the others.
func (s *run) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problems++; s.problems <= reported {
		s.t.Errorf(format, args...)
	}
}

// wrong notes a wrong answer.
func (s *run) wrong(asked time.Time, x *site, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrongs++; s.wrongs <= reported {
		s.t.Errorf("asked %s, %s: %s", asked.Format(clock), x.name, fmt.Sprintf(format, args...))
	}
}

func (s *run) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// report says what happened, and fails if something did not happen at all.
func (s *run) report(lives int) {
	s.t.Helper()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "%7d %s\n", s.counts[what], what)
	}
	s.t.Logf("%d processes, %d requests, %d wrong answers, %d wrong records; outcomes %v\n%s",
		lives, len(s.ledger.all), s.wrongs, s.problems, s.outcomes, b.String())
	for _, x := range s.sites {
		s.t.Logf("%s: %d passed, %v at most without one, until %s", x.name, x.passes.n, x.passes.longest.Round(time.Millisecond), x.passes.ended.Format(clock))
		if x.passes.longest > s.times.lookupsOff+replaced {
			s.t.Errorf("%s: nothing passed for %v until %s", x.name, x.passes.longest, x.passes.ended.Format(clock))
		}
	}
	for _, kind := range []string{streams, uploads, downloads, sockets} {
		if s.counts[kind+" "+whole] == 0 {
			s.t.Errorf("no %s went well", kind)
		}
	}
	if lives < 2 || s.outcomes["aborted"] == 0 {
		s.t.Errorf("%d processes, and %d requests that outlasted one", lives, s.outcomes["aborted"])
	}
}
