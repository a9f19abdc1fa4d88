package caddymodule

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// The TestProxy tests put real clients in front of the gateway and look at what
// arrives at both ends: a gateway that says no in the right places and breaks a
// stream in another is no gateway.

// proxyPatience bounds every wait of these tests. Nothing takes that long unless
// it hangs.
const proxyPatience = 20 * time.Second

// uploadPath is where a client puts the file that the workspace calls uploadName.
const (
	uploadName = "/Volumes/main/default/v/f"
	uploadPath = "/api/2.0/fs/files" + uploadName
)

// proxyClient returns an HTTP/1.1 client that shows what comes over the wire: it
// follows no redirect, asks for no compression and unpacks nothing.
func proxyClient(t testing.TB) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return proxyClientOver(t, &http.Transport{Protocols: &protocols})
}

// proxyClientH2C is the same over HTTP/2 without TLS.
func proxyClientH2C(t testing.TB) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return proxyClientOver(t, &http.Transport{Protocols: &protocols})
}

func proxyClientOver(t testing.TB, transport *http.Transport) *http.Client {
	t.Helper()
	transport.DisableCompression = true
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       proxyPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// proxyRequest makes a request with a bearer token and more headers, given as
// names and values in turn. An empty token sends no credential.
func proxyRequest(t testing.TB, method, url, token string, content io.Reader, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

// proxyAnswer is an answer with its body read.
type proxyAnswer struct {
	*http.Response
	body string
}

// proxyDo sends a request and reads the whole answer.
func proxyDo(t testing.TB, client *http.Client, req *http.Request) proxyAnswer {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body of a %d: %v", resp.StatusCode, err)
	}
	return proxyAnswer{resp, string(content)}
}

// refused checks that the gateway refused, and returns its JSON body.
func (a proxyAnswer) refused(t testing.TB, status int, reason string) body {
	t.Helper()
	var refusal body
	if err := json.Unmarshal([]byte(a.body), &refusal); err != nil {
		t.Fatalf("status %d, body %q: %v", a.StatusCode, a.body, err)
	}
	if got := a.Header.Get("X-Scopegate-Reason"); a.StatusCode != status || got != reason || refusal.ErrorCode != status {
		t.Errorf("answered %d, reason %q, error_code %d, want %d %q", a.StatusCode, got, refusal.ErrorCode, status, reason)
	}
	return refusal
}

// legacyToken mints a token without scopes, which may do everything, so that what
// a test sees does not depend on the catalogue.
func legacyToken(w *fakeworkspace.Workspace) string {
	return w.Mint(fakeworkspace.TokenSpec{}).Value
}

// revokedToken is a token that the workspace does not know any more.
func revokedToken(w *fakeworkspace.Workspace) string {
	token := w.Mint(fakeworkspace.TokenSpec{})
	w.Revoke(token.Info.TokenId)
	return token.Value
}

// arrivals are the requests of clients that came to the workspace: all but the
// gateway's own look-ups and how it signed in for them.
func arrivals(w *fakeworkspace.Workspace) []fakeworkspace.Request {
	var found []fakeworkspace.Request
	for _, r := range w.Requests() {
		own := false
		for _, prefix := range []string{"/oidc/", "/.well-known/", "/api/2.0/token-management/"} {
			own = own || strings.HasPrefix(r.Believed, prefix)
		}
		if !own {
			found = append(found, r)
		}
	}
	return found
}

// onlyArrival is the one request of clients that came to the workspace.
func onlyArrival(t testing.TB, w *fakeworkspace.Workspace) fakeworkspace.Request {
	t.Helper()
	found := arrivals(w)
	if len(found) != 1 {
		t.Fatalf("%d requests arrived at the workspace, want 1", len(found))
	}
	return found[0]
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(proxyPatience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", proxyPatience, what)
		}
	}
}

// wire is a connection to the gateway on which a test writes the very bytes of
// its requests.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func (h *harness) dial(t testing.TB) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", h.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(proxyPatience)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, bufio.NewReader(conn)}
}

// send writes the lines of a request's head and the empty line behind it.
func (c *wire) send(t testing.TB, lines ...string) {
	t.Helper()
	c.write(t, strings.Join(lines, "\r\n")+"\r\n\r\n")
}

func (c *wire) write(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads one answer, be it final or not.
func (c *wire) answer(t testing.TB, method string) proxyAnswer {
	t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body of a %d: %v", resp.StatusCode, err)
	}
	return proxyAnswer{resp, string(content)}
}
