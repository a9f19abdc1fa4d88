package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// TestCut: a cut network passes bytes, goes silent, and afterwards old connections are gone
// and new ones work.
func TestCut(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	c, err := startCut(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	get := func(conn net.Conn, patience time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1000))
		return err
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", c.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	old := dial()
	if err := get(old, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	c.freeze()
	fresh := dial()
	for name, conn := range map[string]net.Conn{"old": old, "new": fresh} {
		if err := get(conn, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection of a silent network: %v", name, err)
		}
	}
	c.thaw()
	if err := get(old, 5*time.Second); err == nil {
		t.Error("an old connection outlived the silence")
	}
	if err := get(dial(), 5*time.Second); err != nil {
		t.Errorf("after the silence: %v", err)
	}
}

func TestFleetResultsText(t *testing.T) {
	r := &fleetResults{Edges: 1000, Revocation: spreadOf([]float64{1, 2, 3, 100}, 1)}
	r.miss(nil)
	r.miss(errors.New("waited for nothing"))
	text := r.text()
	for _, want := range []string{"1000 edges", "p50 2.5 ms", "max 100.0 ms (4 times)", "MISSING: waited for nothing"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if len(r.Missing) != 1 {
		t.Errorf("missing: %q", r.Missing)
	}
}
