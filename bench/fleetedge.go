package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/edge"
	"github.com/scopegate/scopegate/internal/tokens"
)

// edgeSettings are what an edge is made of.
type edgeSettings struct {
	name, workspace string
	urls            []string // of authorities, the preferred one first
	tokenFile       string
	trust           string
}

// edgeUnderTest is what makes a gateway an edge: the client of authorities, and the resolver
// with the gateway's cache.
type edgeUnderTest struct {
	client   *edge.Client
	resolver *tokens.Resolver

	mu    sync.Mutex
	heard map[tokens.ID]time.Time // when changes of tokens were applied
	reset time.Time               // when it last doubted everything
}

// edgeFreshness is that of an edge: what it knows lasts longer than the measurement.
var edgeFreshness = tokens.Freshness{TTL: time.Hour, NegativeTTL: 10 * time.Second, MaxStale: time.Hour}

// edgeTimeout bounds a look-up.
const edgeTimeout = 5 * time.Second

func startEdge(s edgeSettings) (*edgeUnderTest, error) {
	secret, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return nil, err
	}
	value := strings.TrimSpace(string(secret))
	e := &edgeUnderTest{heard: make(map[tokens.ID]time.Time)}
	e.client = edge.Open(edge.Options{
		URLs: s.urls, WorkspaceURL: s.workspace, Trust: s.trust, Name: s.name, Version: "bench", Timeout: edgeTimeout,
		Token: func() (string, error) { return value, nil },
		Apply: e.apply, Reset: e.doubt,
		Observer: fleet.NoObserver{}, Upstream: func(error) {}, Logger: zap.NewNop, Now: time.Now,
	})
	// As a gateway configures the resolver of an edge.
	e.resolver = tokens.NewResolver(e.client, tokens.Settings{Size: 100_000, Rate: 100, Concurrency: 8, Timeout: edgeTimeout})
	e.client.Start()
	return e, nil
}

func (e *edgeUnderTest) close() {
	e.resolver.Close()
	e.client.Close()
}

// apply forgets what a change concerns, as a gateway does.
func (e *edgeUnderTest) apply(change fleet.Change) {
	if change.Kind != fleet.TokenChanged {
		e.doubt()
		return
	}
	e.resolver.Purge(change.Token)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[change.Token] = time.Now()
}

func (e *edgeUnderTest) doubt() {
	e.resolver.Doubt()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reset = time.Now()
}

// applied returns when the edge applied a change of a token, or doubted everything, after a
// time.
func (e *edgeUnderTest) applied(id tokens.ID, since time.Time) (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at := e.heard[id]; at.After(since) {
		return at, true
	}
	return e.reset, e.reset.After(since)
}

// connected returns the authority that the edge is subscribed to, or tried last.
func (e *edgeUnderTest) connected() (url string, up bool) {
	status := e.client.Status()
	return status.URL, status.Up
}

// resolve finds out about a token as a request would.
func (e *edgeUnderTest) resolve(ctx context.Context, id tokens.ID) error {
	_, err := e.resolver.Resolve(ctx, id, edgeFreshness)
	return err
}
