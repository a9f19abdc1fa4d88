package harness

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// Paths that several packages' tests use.
const (
	JobsList     = "/api/2.2/jobs/list"
	ClustersList = "/api/2.1/clusters/list"
	Me           = "/api/2.0/preview/scim/v2/Me"
	WellKnown    = "/.well-known/databricks-config"
	UnmappedPath = "/api/2.0/not-in-the-map"
)

// Answer is what a client got: a response with its body read.
type Answer struct {
	*http.Response
	Body string
}

func readAnswer(t testing.TB, response *http.Response) Answer {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("reading the body of a %d: %v", response.StatusCode, err)
	}
	return Answer{response, string(content)}
}

// Send makes a request through the gateway on a new connection.
func (g *Gateway) Send(t testing.TB, method, path string, change func(*http.Request)) Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := roundTrip(transport, r, g.loads > 1)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// roundTrip makes a request, again and again if sockets were swapped and it is hung up on:
// Caddy swaps the listening socket on a reload, and a connection that the old one accepted
// at the last moment is closed without reaching a handler.
func roundTrip(transport http.RoundTripper, r *http.Request, swapped bool) (*http.Response, error) {
	response, err := transport.RoundTrip(r)
	for deadline := time.Now().Add(Patience); swapped && HungUp(err) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		response, err = transport.RoundTrip(r)
	}
	return response, err
}

// SendAfterReload is Send for the first request after a reload. Caddy closes the old
// sockets in the background, so the old configuration may still answer for a moment.
func (g *Gateway) SendAfterReload(t testing.TB, method, path string, change func(*http.Request), want int) Answer {
	t.Helper()
	got := g.Send(t, method, path, change)
	for deadline := time.Now().Add(5 * time.Second); got.StatusCode != want && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		got = g.Send(t, method, path, change)
	}
	return got
}

// HungUp reports whether an error means that the connection was closed without a
// response.
func HungUp(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, io.EOF)
}

// Bearer returns a change for [Gateway.Send] that adds a token.
func Bearer(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+value) }
}

// Client returns an HTTP/1.1 client that shows responses as sent: it neither follows
// redirects nor negotiates compression.
func Client(t testing.TB) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return client(t, &http.Transport{Protocols: &protocols})
}

// ClientH2C is [Client] over HTTP/2 without TLS.
func ClientH2C(t testing.TB) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return client(t, &http.Transport{Protocols: &protocols})
}

func client(t testing.TB, transport *http.Transport) *http.Client {
	t.Helper()
	transport.DisableCompression = true
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// NewRequest makes a request with a bearer token and extra headers, given as
// alternating names and values. An empty token sends no credential.
func NewRequest(t testing.TB, method, url, token string, content io.Reader, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// Do sends a request and reads the whole response.
func Do(t testing.TB, client *http.Client, r *http.Request) Answer {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// LegacyToken mints a token without scopes. It may do everything, so the test does
// not depend on the catalog.
func LegacyToken(w *fakeworkspace.Workspace) string {
	return w.Mint(fakeworkspace.TokenSpec{}).Value
}

// RevokedToken is a token that the workspace no longer knows.
func RevokedToken(w *fakeworkspace.Workspace) string {
	token := w.Mint(fakeworkspace.TokenSpec{})
	w.Revoke(token.Info.TokenId)
	return token.Value
}

// Arrivals returns the client requests that reached the workspace: all but the
// gateway's look-ups and sign-ins.
func Arrivals(w *fakeworkspace.Workspace) []fakeworkspace.Request {
	var found []fakeworkspace.Request
	for _, r := range w.Requests() {
		fromGateway := false
		for _, prefix := range []string{"/oidc/", "/.well-known/", "/api/2.0/token-management/"} {
			fromGateway = fromGateway || strings.HasPrefix(r.Believed, prefix)
		}
		if !fromGateway {
			found = append(found, r)
		}
	}
	return found
}

// OnlyArrival returns the one client request that reached the workspace.
func OnlyArrival(t testing.TB, w *fakeworkspace.Workspace) fakeworkspace.Request {
	t.Helper()
	found := Arrivals(w)
	if len(found) != 1 {
		t.Fatalf("%d requests reached the workspace, want 1", len(found))
	}
	return found[0]
}
