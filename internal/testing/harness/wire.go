package harness

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Wire is a connection to the gateway on which a test writes raw requests.
type Wire struct {
	net.Conn
	in *bufio.Reader
}

// Dial opens a connection that closes at the end of the test.
func (g *Gateway) Dial(t testing.TB) *Wire {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return &Wire{conn, bufio.NewReader(conn)}
}

// Send writes the request line, the headers and the empty line that ends them.
func (c *Wire) Send(t testing.TB, lines ...string) {
	t.Helper()
	c.WriteText(t, strings.Join(lines, "\r\n")+"\r\n\r\n")
}

// WriteText writes raw text.
func (c *Wire) WriteText(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// Answer reads one response, which may be an interim (1xx) one.
func (c *Wire) Answer(t testing.TB, method string) Answer {
	t.Helper()
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return readAnswer(t, response)
}
