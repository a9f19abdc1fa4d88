package authority

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	workspace   = "https://dbc-1.cloud.databricks.com"
	sharedToken = "shared-token-of-edges-0123456789abcdef"
)

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.UnixMilli(1_800_000_000_000)} }

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

// memoryLog is a log of changes in memory.
type memoryLog struct {
	mu      sync.Mutex
	epoch   string
	first   fleet.Generation // entries after it are there
	entries []fleet.Entry
	last    fleet.Generation
	waiting chan struct{}
}

func newLog() *memoryLog { return &memoryLog{epoch: "epoch-1", waiting: make(chan struct{})} }

func (l *memoryLog) Position() (string, fleet.Generation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.last
}

func (l *memoryLog) Asides(uint64) ([]fleet.Change, uint64) { return nil, 0 }

func (l *memoryLog) Since(epoch string, after fleet.Generation) ([]fleet.Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch != l.epoch || after < l.first || after > l.last {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(l.entries, after+1, func(e fleet.Entry, g fleet.Generation) int {
		return int(int64(e.Generation) - int64(g))
	})
	return slices.Clone(l.entries[i:]), true
}

func (l *memoryLog) Wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

func (l *memoryLog) add(changes ...fleet.Change) fleet.Generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, change := range changes {
		l.last++
		l.entries = append(l.entries, fleet.Entry{Generation: l.last, Change: change})
	}
	close(l.waiting)
	l.waiting = make(chan struct{})
	return l.last
}

// trim forgets all entries.
func (l *memoryLog) trim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.entries = l.last, nil
}

func (l *memoryLog) restart(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.first, l.last, l.entries = epoch, 0, 0, nil
	close(l.waiting)
	l.waiting = make(chan struct{})
}

// knownTokens answers about tokens.
type knownTokens struct {
	mu      sync.Mutex
	facts   map[tokens.ID]tokens.Facts
	errs    map[tokens.ID]error
	errsAt  map[tokens.ID]time.Time
	cached  map[tokens.ID]bool
	names   map[int64]string
	nameErr error
	asked   []tokens.ID
	fresh   []tokens.Freshness
}

func (k *knownTokens) Resolve(_ context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked, k.fresh = append(k.asked, id), append(k.fresh, fresh)
	if err := k.errs[id]; err != nil {
		return tokens.Facts{At: k.errsAt[id]}, err
	}
	if facts, ok := k.facts[id]; ok {
		return facts, nil
	}
	return tokens.Facts{At: k.errsAt[id]}, tokens.ErrUnknownToken
}

func (k *knownTokens) Owner(info *tokens.Info) tokens.Principal {
	id, _ := info.Owner.ID()
	k.mu.Lock()
	defer k.mu.Unlock()
	return info.Owner.Named(k.names[id])
}

func (k *knownTokens) OwnerName(_ context.Context, id int64) (tokens.Principal, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return tokens.NewPrincipal(id, k.names[id]), k.nameErr
}

func (k *knownTokens) WorkspaceID() int64 { return 4711 }

func (k *knownTokens) Known(id tokens.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached[id]
}

func (k *knownTokens) lookups() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.asked)
}

// recorder is an observer that remembers.
type recorder struct {
	fleet.NoObserver
	mu              sync.Mutex
	acknowledged    []time.Duration
	connected, gone []string
	refused         []string
}

func (r *recorder) Acknowledged(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acknowledged = append(r.acknowledged, took)
}

func (r *recorder) EdgeConnected(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected = append(r.connected, name)
}

func (r *recorder) EdgeGone(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = append(r.gone, name)
}

func (r *recorder) EdgeRefused(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, reason)
}

func (r *recorder) acks() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acknowledged)
}

// fixture is a server behind TLS and HTTP/2.
type fixture struct {
	*testing.T
	server    *Server
	http      *httptest.Server
	clock     *clock
	log       *memoryLog
	tokens    *knownTokens
	observer  *recorder
	streams   map[*http.Client]string // the secret of the stream that each has
	mu        sync.Mutex
	published [][]fleet.Change
}

func (f *fixture) publications() [][]fleet.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.published)
}

func sharedAccess(values ...string) Access {
	return Access{Tokens: func() ([]string, error) { return values, nil }}
}

func newServer(t *testing.T, changes ...func(*Options)) *fixture {
	f := &fixture{T: t, clock: newClock(), log: newLog(), observer: &recorder{}, tokens: &knownTokens{
		facts: map[tokens.ID]tokens.Facts{}, errs: map[tokens.ID]error{}, errsAt: map[tokens.ID]time.Time{},
		cached: map[tokens.ID]bool{}, names: map[int64]string{},
	}}
	options := Options{
		WorkspaceURL: workspace + "/?o=4711", Tokens: f.tokens, Log: f.log, Freshness: tokens.DefaultFreshness,
		Publish: func(_ context.Context, changes ...fleet.Change) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.published = append(f.published, slices.Clone(changes))
		},
		Access: sharedAccess(sharedToken), Observer: f.observer, Name: "authority-1", Version: "v1.2.3", Now: f.clock.now,
	}
	for _, change := range changes {
		change(&options)
	}
	f.server = New(options)
	t.Cleanup(f.server.Close)
	return f
}

// serve starts the server behind TLS.
func (f *fixture) serve(config *tls.Config, http2 bool) *fixture {
	f.http = httptest.NewUnstartedServer(f.server)
	f.http.EnableHTTP2 = http2
	f.http.TLS = config
	f.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.http.StartTLS()
	f.Cleanup(f.http.Close)
	f.Cleanup(f.server.Close) // before, as it would wait for streams
	return f
}

func newFixture(t *testing.T, changes ...func(*Options)) *fixture {
	return newServer(t, changes...).serve(nil, true)
}

// edgeRequest is a request of an edge, with the headers of a good one.
func edgeRequest(method, address string, body []byte) *http.Request {
	request, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body == nil {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	request.Header.Set("Authorization", "Bearer "+sharedToken)
	request.Header.Set(wire.WorkspaceHeader, workspace)
	request.Header.Set(wire.NameHeader, "edge-1")
	request.Header.Set(wire.VersionHeader, "v9")
	return request
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r *reply) problem(t testing.TB) wire.Problem {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("status %d: the body is no problem: %q", r.status, r.body)
	}
	return p
}

// ask sends a request of an edge over TLS.
func (f *fixture) ask(method, path string, body []byte, changes ...func(*http.Request)) *reply {
	f.Helper()
	request := edgeRequest(method, f.http.URL+path, body)
	for _, change := range changes {
		change(request)
	}
	response, err := f.http.Client().Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return &reply{response.StatusCode, response.Header, read}
}

// record sends a request without a network.
func (f *fixture) record(request *http.Request) *reply {
	if request.RemoteAddr == "" {
		request.RemoteAddr = "192.0.2.1:1234"
	}
	if request.TLS == nil && request.URL.Scheme == "https" {
		request.TLS = &tls.ConnectionState{}
	}
	recorder := httptest.NewRecorder()
	f.server.ServeHTTP(recorder, request)
	return &reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

func (f *fixture) expect(r *reply, status int, code string) {
	f.Helper()
	if r.status != status {
		f.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if code == "" {
		return
	}
	if got := r.problem(f).Code; got != code {
		f.Fatalf("code %q, want %q", got, code)
	}
}

func setHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func named(name string) func(*http.Request) { return setHeader(wire.NameHeader, name) }

// info is a token of an owner.
func (f *fixture) know(secret string, owner int64) tokens.ID {
	id := tokens.IDOf(secret)
	f.tokens.mu.Lock()
	defer f.tokens.mu.Unlock()
	f.tokens.facts[id] = tokens.Facts{
		Info: &tokens.Info{
			ID: id, Owner: tokens.NewPrincipal(owner, ""), Creator: tokens.NewPrincipal(7, "admin@example.com"), WorkspaceID: 4711,
			Expires: tokens.ExpiresAt(time.UnixMilli(1_900_000_000_000)), Scopes: []string{"sql"}, Comment: "a comment",
			Created: time.UnixMilli(1_700_000_000_000),
		},
		At: f.clock.now().Add(-1500*time.Microsecond - time.Second), Source: tokens.FromLookup,
	}
	return id
}

// authorityCA signs client certificates.
type certificateAuthority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newCA(t *testing.T) *certificateAuthority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &certificateAuthority{key, cert, pool}
}

func (c *certificateAuthority) issue(t *testing.T, commonName string, dns, uris []string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xabcd), Subject: pkix.Name{CommonName: commonName}, DNSNames: dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, uri := range uris {
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, parsed)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tokenPath(id tokens.ID) string { return wire.Prefix + "tokens/" + id.String() }

func contains(t *testing.T, list []string, want string) {
	t.Helper()
	if !slices.Contains(list, want) {
		t.Errorf("%q is not among %s", want, strings.Join(list, ", "))
	}
}
