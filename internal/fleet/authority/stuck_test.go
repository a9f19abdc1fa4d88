package authority

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestFanOut: 500 edges hear of one change, and leave nothing behind.
func TestFanOut(t *testing.T) {
	before := runtime.NumGoroutine()
	const edges = 500
	f := newServer(t).serve(nil, true)
	var clients []*http.Client
	for range 5 { // HTTP/2 allows 250 streams on one connection
		transport := f.http.Client().Transport.(*http.Transport).Clone()
		clients = append(clients, &http.Client{Transport: transport})
	}
	all := make([]*subscription, edges)
	for i := range all {
		all[i] = f.subscribe(clients[i%len(clients)], "", named(fmt.Sprint("edge-", i)))
	}
	for _, s := range all {
		s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	}
	if n := len(f.server.Edges()); n != edges {
		t.Errorf("%d edges", n)
	}
	began := time.Now()
	f.log.add(change("a"))
	for _, s := range all {
		s.expect(changed(1, "a"))
	}
	t.Logf("%d edges heard of a change within %v", edges, time.Since(began))
	for _, s := range all {
		s.leave()
	}
	until(t, "all edges are gone", func() bool {
		f.server.edges.mu.Lock()
		defer f.server.edges.mu.Unlock()
		return f.server.edges.streams == 0
	})
	for _, client := range clients {
		client.CloseIdleConnections()
	}
	f.server.Close()
	f.http.Close()
	until(t, "goroutines return", func() bool { return runtime.NumGoroutine() <= before+5 })
}

// stuck opens a stream over HTTP/1.1 and never reads it.
func (f *fixture) stuck() net.Conn {
	f.Helper()
	conn, err := net.Dial("tcp", f.http.Listener.Addr().String())
	if err != nil {
		f.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	var request bytes.Buffer
	_ = edgeRequest("GET", f.http.URL+wire.Prefix+"changes", nil).Write(&request)
	if _, err := secure.Write(request.Bytes()); err != nil {
		f.Fatal(err)
	}
	return secure
}

// flood publishes changes until a stream was cut off.
func (f *fixture) flood(gone func() bool) {
	f.Helper()
	many := make([]fleet.Change, batch)
	for i := range many {
		many[i] = change("a")
	}
	for range 2000 {
		if gone() {
			return
		}
		f.log.add(many...)
		f.log.mu.Lock()
		if n := len(f.log.entries); n > 10_000 { // as a log does
			f.log.first, f.log.entries = f.log.entries[n-10_001].Generation, slices.Clone(f.log.entries[n-10_000:])
		}
		f.log.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	f.Fatal("the stream is still there")
}

func (f *fixture) gone() bool {
	f.observer.mu.Lock()
	defer f.observer.mu.Unlock()
	return len(f.observer.gone) > 0
}

// TestStuckHTTP1: an edge that reads nothing is cut off, and holds up nobody.
func TestStuckHTTP1(t *testing.T) {
	f := newServer(t)
	f.server.heartbeat, f.server.written = 50*time.Millisecond, 200*time.Millisecond
	f.serve(nil, false)
	conn := f.stuck()
	defer conn.Close()
	until(t, "the edge is subscribed", func() bool { return len(f.server.Edges()) == 1 })
	f.flood(f.gone)
	if edges := f.server.Edges(); len(edges) != 1 || edges[0].Connected {
		t.Errorf("%+v", edges)
	}
}

// TestStuckHTTP2: the same over HTTP/2, whose windows fill up before those of TCP.
func TestStuckHTTP2(t *testing.T) {
	f := newServer(t)
	f.server.heartbeat, f.server.written = 50*time.Millisecond, 200*time.Millisecond
	f.serve(nil, true)
	conn, err := tls.Dial("tcp", f.http.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	framer := http2.NewFramer(conn, conn)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = framer.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	request := edgeRequest("GET", f.http.URL+wire.Prefix+"changes", nil)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "authority"}, {":path", wire.Prefix + "changes"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	for name, values := range request.Header {
		_ = encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: values[0]})
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
		t.Fatal(err)
	}
	until(t, "the edge is subscribed", func() bool { return len(f.server.Edges()) == 1 })
	f.flood(f.gone)
	// It may come back on the same connection, once it reads again.
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("the connection ended before the stream: %v", err)
		}
		if _, ok := frame.(*http2.RSTStreamFrame); ok {
			break
		}
	}
}

// TestTooSlow: an edge that reads, but more slowly than changes come, is cut off, and is reset
// when it comes back.
func TestTooSlow(t *testing.T) {
	f := newFixture(t)
	s := f.subscribe(f.http.Client(), "")
	s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	many := make([]fleet.Change, maxBehind+1)
	for i := range many {
		many[i] = change("a")
	}
	f.log.add(many...) // at once, as if it had been away
	s.ends()
	again := f.subscribe(f.http.Client(), "epoch-1:0")
	again.expect(hello("epoch-1", maxBehind+1), reset("epoch-1", maxBehind+1))
}
