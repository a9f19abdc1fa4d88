package authority

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestHeads: what surrounds a request is bounded.
func TestHeads(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	long := strings.Repeat("x", maxTarget+1)
	for name, change := range map[string]func(*http.Request){
		"a long path":                 func(r *http.Request) { r.URL.Path = wire.Prefix + long },
		"a long query":                func(r *http.Request) { r.URL.RawQuery = "newer_than_ms=" + long },
		"a long name":                 named(long),
		"two names":                   func(r *http.Request) { r.Header.Add(wire.NameHeader, "b") },
		"a long version":              setHeader(wire.VersionHeader, long),
		"a long Last-Event-ID":        setHeader("Last-Event-ID", long),
		"two of them":                 func(r *http.Request) { r.Header["Last-Event-Id"] = []string{"a:1", "a:2"} },
		"a query where there is none": func(r *http.Request) { r.URL.Path, r.URL.RawQuery = wire.Prefix+"changes", "after=0" },
	} {
		t.Run(name, func(t *testing.T) {
			f.expect(f.ask("GET", tokenPath(id), nil, change), 400, wire.MalformedCode)
		})
	}
	if n := f.tokens.lookups(); n != 0 {
		t.Errorf("%d look-ups", n)
	}
	contains(t, f.observer.refused, "malformed")
}

// TestSlowBody: an edge that does not send what it announced holds nothing for long.
func TestSlowBody(t *testing.T) {
	f := newServer(t)
	f.server.patience = 100 * time.Millisecond
	f.serve(nil, false)
	for name, test := range map[string]struct {
		route, token string
		status       int
	}{
		"an ack":                       {"POST " + wire.Prefix + "acks", sharedToken, 400},
		"a snapshot, kept nowhere":     {"PUT " + wire.Prefix + "usage/" + instance, sharedToken, 404},
		"of a stranger":                {"POST " + wire.Prefix + "acks", "x", 401},
		"where there is none":          {"GET " + wire.Prefix + "changes", sharedToken, 400},
		"to a route that there is not": {"POST /", sharedToken, 404},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", f.http.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n%s: %s\r\nContent-Length: 99\r\n\r\n{", test.route, test.token, wire.WorkspaceHeader, workspace)
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if _, err := reader.ReadByte(); err != io.EOF {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

// TestDeadlinesDoNotLast: what is set for one request does not end the connection under the
// next.
func TestDeadlinesDoNotLast(t *testing.T) {
	f := newServer(t)
	f.server.patience = 50 * time.Millisecond
	f.serve(nil, false)
	for range 3 {
		f.expect(f.ask("POST", wire.Prefix+"acks", []byte(`{"position":{"epoch":"e","generation":1}}`)), 204, "")
		time.Sleep(100 * time.Millisecond) // longer than the deadline
	}
	s := f.subscribe(f.http.Client(), "")
	s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	time.Sleep(100 * time.Millisecond)
	f.log.add(change("a"))
	s.expect(changed(1, "a"))
}

// TestLargeAnswer: an edge is not sent what it would refuse to read.
func TestLargeAnswer(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	f.tokens.facts[id].Info.Comment = strings.Repeat("x", wire.MaxAnswer)
	got := f.ask("GET", tokenPath(id), nil)
	if got.status != http.StatusInternalServerError || len(got.body) > 1<<10 {
		t.Errorf("status %d, %d bytes", got.status, len(got.body))
	}
}

// TestBodies: a body is where the protocol has one.
func TestBodies(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	f.expect(f.ask("GET", tokenPath(id), []byte("{}")), 400, wire.MalformedCode)
	f.expect(f.ask("POST", wire.Prefix+"acks", []byte("{}"), func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), -1 }), 400, wire.MalformedCode)
}
