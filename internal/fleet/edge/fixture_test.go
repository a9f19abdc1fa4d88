package edge

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	workspace = "https://dbc-1.cloud.databricks.com"
	edgeToken = "secret-of-this-edge-0123456789abcdef"
)

// patience bounds how long a test waits for something that must happen.
const patience = 20 * time.Second

// script is an authority that says what a test wants. Routes are named by method and first
// part of the path: "GET tokens". Those that are not set answer 503.
type script struct {
	*httptest.Server
	mu     sync.Mutex
	routes map[string]http.HandlerFunc
	seen   []seen
}

// seen is a request that came.
type seen struct {
	route, path, remote string
	header              http.Header
	body                []byte
}

// newScript starts an authority behind TLS.
func newScript(t *testing.T, routes map[string]http.HandlerFunc, changes ...func(*httptest.Server)) *script {
	s := &script{routes: map[string]http.HandlerFunc{}}
	maps.Copy(s.routes, routes)
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, change := range changes {
		change(s.Server)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, wire.Prefix)
	first, _, _ := strings.Cut(path, "/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left before it had asked
	}
	route := r.Method + " " + first
	s.mu.Lock()
	s.seen = append(s.seen, seen{route, r.URL.RequestURI(), r.RemoteAddr, r.Header.Clone(), body})
	handler := s.routes[route]
	s.mu.Unlock()
	if handler == nil {
		handler = says(http.StatusServiceUnavailable, wire.Problem{Code: wire.UnavailableCode})
	}
	handler(w, r)
}

// requests returns the requests that came for a route.
func (s *script) requests(route string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []seen
	for _, request := range s.seen {
		if request.route == route {
			found = append(found, request)
		}
	}
	return found
}

// set changes what a route answers.
func (s *script) set(route string, handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[route] = handler
}

// says answers with a status and a body: a text as it is, everything else as JSON. Header is
// name and value.
func says(status int, body any, header ...string) http.HandlerFunc {
	text, plain := body.(string)
	if !plain {
		data, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		text = string(data)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		for pair := range slices.Chunk(header, 2) {
			w.Header().Set(pair[0], pair[1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // a client that left needs no answer
	}
}

// hangs says nothing until the client gives up.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// knows answers what is known of a token.
func knows(id tokens.ID, position wire.Position) http.HandlerFunc {
	return says(http.StatusOK, wire.TokenAnswer{Token: &wire.Token{ID: id.String(), Expires: -1}, Position: position})
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// gateway is a client, and what it told the rest of the gateway.
type gateway struct {
	*Client
	fleet.NoObserver
	clock  *clock
	mu     sync.Mutex
	events []string // of Apply, Reset and Gap, in order
}

func (g *gateway) note(event string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, event)
}

func (g *gateway) noted() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.events)
}

// Gap implements [fleet.Observer].
func (g *gateway) Gap(reason string) { g.note("gap " + reason) }

// newGateway returns a client of authorities. It is closed before these are.
func newGateway(t *testing.T, authorities []*script, changes ...func(*Options)) *gateway {
	g := &gateway{clock: &clock{at: time.UnixMilli(1_800_000_000_000)}}
	options := Options{
		WorkspaceURL: workspace + "/?o=4711", Token: func() (string, error) { return edgeToken, nil },
		Trust: filepath.Join(t.TempDir(), "trust.pem"), Name: "edge-1", Version: "v9", Timeout: 5 * time.Second,
		Apply: func(change fleet.Change) { g.note("apply " + string(change.Kind)) }, Reset: func() { g.note("reset") },
		Observer: g, Upstream: func(error) {}, Logger: zap.NewNop, Now: g.clock.now,
	}
	for i, a := range authorities {
		options.URLs = append(options.URLs, a.URL)
		if i == 0 { // all have one certificate
			writePEM(t, options.Trust, a.Certificate().Raw)
		}
	}
	for _, change := range changes {
		change(&options)
	}
	g.Client = Open(options)
	t.Cleanup(g.Close)
	return g
}

// unsubscribed keeps look-ups from subscribing, for tests of the rest.
func (g *gateway) unsubscribed() *gateway {
	g.start.Do(func() {})
	return g
}

func (g *gateway) lookup(id tokens.ID) (tokens.Answer, error) {
	return g.Lookup(context.Background(), tokens.Query{ID: id})
}

func writePEM(t *testing.T, path string, certificate []byte) {
	t.Helper()
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until something has happened.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
	}
}
