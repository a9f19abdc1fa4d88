package proxy

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// stream is one stream of an HTTP/2 connection, of a client or a server that writes and
// reads frames.
type stream struct {
	conn  net.Conn
	frame *http2.Framer
	id    uint32
	table bytes.Buffer
	pack  *hpack.Encoder
	ended bool // by the other side
}

func newStream(conn net.Conn) *stream {
	s := &stream{conn: conn, frame: http2.NewFramer(conn, conn)}
	s.pack = hpack.NewEncoder(&s.table)
	s.frame.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.frame.MaxHeaderListSize = 16 << 20
	return s
}

// headers writes a block of headers, given as lines "name: value".
func (s *stream) headers(end bool, lines ...string) {
	s.table.Reset()
	for _, line := range lines {
		name, value, _ := strings.Cut(line[1:], ": ")
		_ = s.pack.WriteField(hpack.HeaderField{Name: line[:1] + name, Value: value})
	}
	_ = s.frame.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.table.Bytes(), EndHeaders: true, EndStream: end})
}

func (s *stream) data(end bool, content string) {
	for len(content) > 16<<10 {
		_ = s.frame.WriteData(s.id, false, []byte(content[:16<<10]))
		content = content[16<<10:]
	}
	_ = s.frame.WriteData(s.id, end, []byte(content))
}

func (s *stream) reset(code http2.ErrCode) { _ = s.frame.WriteRSTStream(s.id, code) }

// next returns the next frame of a stream, and answers those of the connection.
func (s *stream) next() (http2.Frame, error) {
	for {
		frame, err := s.frame.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = s.frame.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = s.frame.WritePing(true, frame.Data)
			}
		case *http2.DataFrame:
			if frame.StreamID != s.id {
				continue // of a request that is over
			}
			s.ended = frame.StreamEnded()
			if n := uint32(len(frame.Data())); n > 0 {
				_ = s.frame.WriteWindowUpdate(0, n)
				if !s.ended {
					_ = s.frame.WriteWindowUpdate(s.id, n)
				}
			}
			return frame, nil
		case *http2.MetaHeadersFrame:
			s.ended = frame.StreamEnded()
			return frame, nil
		case *http2.RSTStreamFrame:
			if frame.StreamID != s.id {
				continue
			}
			s.ended = true
			return frame, nil
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return nil, fmt.Errorf("go away: %s", frame.ErrCode)
			}
		}
	}
}

// rest reads what is left of a message: its body, and its trailers or how it ended.
func (s *stream) rest(arrow string) (lines []string) {
	var content bytes.Buffer
	var end []string
	for !s.ended {
		frame, err := s.next()
		switch frame := frame.(type) {
		case *http2.DataFrame:
			content.Write(frame.Data())
		case *http2.MetaHeadersFrame:
			for _, field := range frame.Fields {
				end = append(end, arrow+" trailer: "+field.Name+": "+field.Value)
			}
		case *http2.RSTStreamFrame:
			end = append(end, arrow+" reset: "+frame.ErrCode.String())
		case nil:
			s.ended = true
			end = append(end, arrow+" "+endOf(err))
		}
	}
	shown := fmt.Sprintf("%q", content.Bytes())
	if content.Len() > 200 {
		shown = fmt.Sprintf("%d bytes, %x", content.Len(), sha256.Sum256(content.Bytes()))
	}
	return append([]string{arrow + " body: " + shown}, end...)
}

// head returns the lines of a block of headers.
func head(arrow string, frame *http2.MetaHeadersFrame) (lines []string) {
	for _, field := range frame.Fields {
		name := field.Name
		if name == "trailer" {
			name = "Trailer" // unlike a line of trailers
		}
		lines = append(lines, arrow+" "+name+": "+field.Value)
	}
	return lines
}

// exchange2 sends a request over HTTP/2 and returns what came back. A body of which only
// 100 Continue may ask is sent after that.
func exchange2(t testing.TB, conn net.Conn, body string, fields ...string) (lines []string) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	s := newStream(conn)
	s.id = 1
	_ = s.frame.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
	_ = s.frame.WriteWindowUpdate(0, 1<<24)
	expects := strings.Contains(strings.Join(fields, "\n"), "expect: 100-continue")
	s.headers(body == "" && !expects, fields...)
	if body != "" && !expects {
		s.data(true, body)
	}
	for {
		frame, err := s.next()
		switch frame := frame.(type) {
		case nil:
			return append(lines, "< "+endOf(err))
		case *http2.RSTStreamFrame:
			return append(lines, "< reset: "+frame.ErrCode.String())
		case *http2.MetaHeadersFrame:
			lines = append(lines, head("<", frame)...)
			switch status := frame.PseudoValue("status"); {
			case status == "100" && expects:
				s.data(true, body)
			case !strings.HasPrefix(status, "1"):
				if frame.StreamEnded() {
					return append(lines, "< ended with the headers")
				}
				return append(lines, s.rest("<")...)
			}
		}
	}
}

// scripted2 is a workspace that speaks HTTP/2 over TLS, and answers frame by frame.
type scripted2 struct {
	address string
	server  *httptest.Server // only for its certificate
	player[*turn2]
}

// turn2 is one request, and how a script answers it.
type turn2 struct {
	*stream
	heard []string
}

// body reads the body.
func (c *turn2) body() { c.heard = append(c.heard, c.rest(">")...) }

func startScripted2(t testing.TB) *scripted2 {
	t.Helper()
	s := &scripted2{server: httptest.NewTLSServer(nil), player: player[*turn2]{heard: make(chan []string, 10)}}
	s.server.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: s.server.TLS.Certificates,
		NextProtos:   []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
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
			conns.Go(func() { s.serve(conn) })
			done := t.Context().Done()
			conns.Go(func() {
				<-done
				conn.Close()
			})
		}
	})
	return s
}

func (s *scripted2) serve(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	c := &turn2{stream: newStream(conn)}
	_ = c.frame.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	for {
		frame, err := c.next()
		if err != nil {
			return
		}
		request, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue // of the stream before
		}
		c.id = request.StreamID
		c.heard = head(">", request)
		s.mu.Lock()
		script := s.script
		s.mu.Unlock()
		script(c)
		s.heard <- c.heard
	}
}

// dial connects to the workspace directly.
func (s *scripted2) dial(t testing.TB) net.Conn {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	config := &tls.Config{NextProtos: []string{"h2"}, RootCAs: roots}
	conn, err := tls.Dial("tcp", s.address, config)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
