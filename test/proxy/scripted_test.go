package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// scripted is a workspace that answers byte by byte as a script says, and remembers the
// bytes of each request.
type scripted struct {
	address string
	player[*turn]
}

// player plays a script for the turns of a workspace.
type player[T any] struct {
	heard chan []string // one request each, as lines

	mu     sync.Mutex
	script func(T)
}

// probe is a request that is answered whatever the script is. It shows whether a connection
// is still of use.
const probe = "/probe"

func startScripted(t testing.TB) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{address: listener.Addr().String(), player: player[*turn]{heard: make(chan []string, 10)}}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(harness.Patience))
			context := t.Context()
			conns.Go(func() {
				s.serve(&turn{Conn: conn, in: bufio.NewReader(conn)})
			})
			conns.Go(func() {
				<-context.Done()
				conn.Close()
			})
		}
	})
	return s
}

// play sets the script for the next requests, and forgets those before.
func (s *player[T]) play(script func(T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
	for len(s.heard) > 0 {
		<-s.heard
	}
}

// request returns the lines of the request that the script answered.
func (s *player[T]) request(t testing.TB) []string {
	t.Helper()
	select {
	case lines := <-s.heard:
		return lines
	case <-time.After(harness.Patience):
		t.Fatal("no request arrived")
		return nil
	}
}

func (s *scripted) serve(c *turn) {
	defer c.Close()
	for !c.over {
		c.heard = nil
		if c.head() != nil {
			return
		}
		if strings.Contains(c.heard[0], " "+probe+" ") {
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		}
		s.mu.Lock()
		script := s.script
		s.mu.Unlock()
		script(c)
		s.heard <- c.heard
	}
}

// turn is one request of a connection, and how a script answers it.
type turn struct {
	net.Conn
	in     *bufio.Reader
	method string
	framed textproto.MIMEHeader
	heard  []string
	over   bool // no request can follow
}

// head reads the request line and the headers. It is called before the script.
func (c *turn) head() error {
	lines, err := readHead(c.in)
	if err != nil {
		return err
	}
	c.method, _, _ = strings.Cut(lines[0], " ")
	c.framed = headers(lines)
	for _, line := range lines {
		c.heard = append(c.heard, "> "+line)
	}
	return nil
}

// body reads the body.
func (c *turn) body() {
	b := readBody(c.in, c.framed, false)
	c.heard = append(c.heard, b.lines(">")...)
	c.over = c.over || !b.complete
}

func (c *turn) send(text string) {
	if _, err := io.WriteString(c, text); err != nil {
		c.over = true
	}
}

// close closes the connection in order.
func (c *turn) close() { c.over = true }

// reset closes the connection so that the other side gets an error.
func (c *turn) reset() {
	c.over = true
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
}

// rawClient is one connection of a client that writes and reads bytes.
type rawClient struct {
	net.Conn
	t     testing.TB
	in    *bufio.Reader
	host  string // of the Host header
	token string
	lines []string // what came back
	over  bool     // no request can follow
}

func dialRaw(t testing.TB, address, host, token string) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		t.Fatal(err)
	}
	return &rawClient{Conn: conn, t: t, in: bufio.NewReader(conn), host: host, token: token}
}

// send writes a request: the request line, Host, Authorization, and what follows these.
func (c *rawClient) send(request string) {
	c.t.Helper()
	line, rest, _ := strings.Cut(strings.ReplaceAll(request, "{host}", c.host), "\r\n")
	if rest == "" {
		rest = "\r\n"
	}
	c.write(line + "\r\nHost: " + c.host + "\r\nAuthorization: Bearer " + c.token + "\r\n" + rest)
}

func (c *rawClient) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one response, which may be an interim one, and returns its status.
func (c *rawClient) receive(method string) (status int) {
	c.t.Helper()
	lines, err := readHead(c.in)
	if err != nil {
		c.lines = append(c.lines, "< "+endOf(err))
		c.over = true
		return 0
	}
	for _, line := range lines {
		c.lines = append(c.lines, "< "+line)
	}
	if fields := strings.SplitN(lines[0], " ", 3); len(fields) > 1 {
		status, _ = strconv.Atoi(fields[1])
	}
	header := headers(lines)
	switch {
	case status < 200, status == 204, status == 304, method == "HEAD":
		c.over = c.over || status == http.StatusSwitchingProtocols
	default:
		b := readBody(c.in, header, true)
		c.lines = append(c.lines, b.lines("<")...)
		c.over = c.over || !b.complete || b.framing == untilClose
	}
	return status
}

// receiveAll reads responses up to the final one.
func (c *rawClient) receiveAll(method string) {
	c.t.Helper()
	for status := 100; status >= 100 && status < 200 && status != http.StatusSwitchingProtocols; {
		status = c.receive(method)
	}
}

// finish notes whether the connection is still of use.
func (c *rawClient) finish() {
	c.t.Helper()
	if c.over {
		return
	}
	state := "kept"
	request := "GET " + probe + " HTTP/1.1\r\nHost: " + c.host + "\r\nAuthorization: Bearer " + c.token + "\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		state = "closed"
	} else if lines, err := readHead(c.in); err != nil {
		state = "closed"
	} else if lines[0] != "HTTP/1.1 200 OK" && lines[0] != "HTTP/1.0 200 OK" {
		state = "out of step: " + lines[0]
	}
	c.lines = append(c.lines, "< then the connection is "+state)
}

// readHead reads the lines of a head without the empty one.
func readHead(in *bufio.Reader) (lines []string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if line != "" {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if line = strings.TrimSuffix(line, "\r\n"); line == "" {
			if len(lines) == 0 {
				return nil, errors.New("an empty line instead of a head")
			}
			return lines, nil
		}
		lines = append(lines, line)
	}
}

func headers(lines []string) textproto.MIMEHeader {
	header := textproto.MIMEHeader{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		header.Add(name, strings.TrimSpace(value))
	}
	return header
}

// How the end of a body is marked.
const (
	byLength   = "length"
	byChunks   = "chunked"
	untilClose = "until the connection closes"
)

type body struct {
	framing  string // empty for no body
	content  []byte
	trailers []string
	complete bool
	end      string
}

func (b body) lines(arrow string) (lines []string) {
	if b.framing == "" {
		return nil
	}
	content := fmt.Sprintf("%q", b.content)
	if len(b.content) > 200 {
		content = fmt.Sprintf("%d bytes, %x", len(b.content), sha256.Sum256(b.content))
	}
	lines = append(lines, fmt.Sprintf("%s body, %s: %s", arrow, b.framing, content))
	for _, trailer := range b.trailers {
		lines = append(lines, arrow+" trailer: "+trailer)
	}
	if !b.complete {
		lines = append(lines, arrow+" "+b.end)
	}
	return lines
}

func readBody(in *bufio.Reader, header textproto.MIMEHeader, response bool) (b body) {
	var content bytes.Buffer
	var err error
	switch length := header.Get("Content-Length"); {
	case strings.EqualFold(header.Get("Transfer-Encoding"), "chunked"):
		b.framing = byChunks
		b.trailers, err = readChunks(&content, in)
	case length != "":
		b.framing = byLength
		n, _ := strconv.ParseInt(length, 10, 64)
		_, err = io.CopyN(&content, in, n)
	case response:
		b.framing = untilClose
		_, err = io.Copy(&content, in)
	}
	b.content, b.complete = content.Bytes(), err == nil
	if err != nil {
		b.end = "truncated, " + endOf(err)
	}
	return b
}

func readChunks(to io.Writer, in *bufio.Reader) (trailers []string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(to, in, n); err != nil {
			return nil, err
		}
		if _, err := in.Discard(len("\r\n")); err != nil {
			return nil, err
		}
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line = strings.TrimSpace(line); line == "" {
			return trailers, nil
		}
		trailers = append(trailers, line)
	}
}

// endOf says how a connection ended. Whether by a FIN or by a reset is not compared: an
// answer can overtake neither.
func endOf(err error) string {
	if errors.Is(err, io.EOF) || harness.HungUp(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed"
	}
	return err.Error()
}
