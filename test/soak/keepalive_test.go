package soak

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"
)

// keepAlive is an HTTP/1.1 client for one server and one goroutine. It keeps its
// connection and, unlike [http.Transport], never repeats a request by itself, so that
// each request is sent once.
type keepAlive struct {
	conn *net.TCPConn
	in   *bufio.Reader
}

// RoundTrip implements [http.RoundTripper] for requests whose context has a deadline.
func (c *keepAlive) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.conn != nil && c.hungUp() {
		c.drop()
	}
	if c.conn == nil {
		conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.URL.Host)
		if err != nil {
			return nil, err
		}
		c.conn, c.in = conn.(*net.TCPConn), bufio.NewReader(conn)
	}
	deadline, _ := r.Context().Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := r.Write(c.conn); err != nil {
		c.drop()
		return nil, err
	}
	httptrace.ContextClientTrace(r.Context()).WroteRequest(httptrace.WroteRequestInfo{})
	response, err := http.ReadResponse(c.in, r)
	if err != nil {
		c.drop()
		return nil, err
	}
	response.Body = &keptBody{response.Body, c, response.Close}
	return response, nil
}

// hungUp reports whether the server has closed the connection while it was idle.
func (c *keepAlive) hungUp() bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.in.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// drop closes the connection, one time in two with a reset.
func (c *keepAlive) drop() {
	if rand.IntN(2) == 0 {
		_ = c.conn.SetLinger(0)
	}
	_ = c.conn.Close()
	c.conn = nil
}

// keptBody returns the connection once it was read.
type keptBody struct {
	io.ReadCloser
	from *keepAlive
	last bool // the connection ends with it
}

func (b *keptBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	if err != nil && (b.last || err != io.EOF) {
		b.end()
	}
	if err != nil {
		b.from = nil
	}
	return n, err
}

func (b *keptBody) Close() error {
	b.end()
	return nil
}

func (b *keptBody) end() {
	if b.from != nil && b.from.conn != nil {
		b.from.drop()
	}
}
