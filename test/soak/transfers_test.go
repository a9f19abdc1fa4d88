package soak

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// transfer is an exchange that takes a while.
type transfer func(ctx context.Context, x *site, client client) *exchange

// transfer makes one exchange of a kind after the other.
func (s *run) transfer(ctx context.Context, does transfer, x *site, client client) {
	for sleep(ctx, time.Duration(rand.Int64N(int64(200*time.Millisecond)))) {
		exchange := does(ctx, x, client)
		s.count(exchange.kind + " " + exchange.result())
	}
}

// steps is how many parts an exchange has that takes up to three times as long as a
// record of an open request.
func (s *run) steps() (n int, every time.Duration) {
	every = 50 * time.Millisecond
	return 1 + rand.IntN(int(3*s.times.openAfter/every)), every
}

// stream reads events for a while.
func (s *run) stream(ctx context.Context, x *site, client client) *exchange {
	n, every := s.steps()
	return s.streamEvents(ctx, x, client, n, every)
}

// longStream reads events for longer than the process lives.
func (s *run) longStream(ctx context.Context, x *site, client client) *exchange {
	const every = 500 * time.Millisecond
	return s.streamEvents(ctx, x, client, int((s.times.life+2*s.times.grace)/every), every)
}

// streamEvents reads n events, and checks that none is missing.
func (s *run) streamEvents(ctx context.Context, x *site, client client, n int, every time.Duration) *exchange {
	url := fmt.Sprintf("%s%s?n=%d&every=%d", x.url(), streamPath, n, every.Milliseconds())
	request := newRequest(ctx, http.MethodPost, url, s.steady, strings.NewReader(`{"stream":true,"messages":[]}`))
	response, exchange, err := s.ledger.send(client, streams, request)
	if err != nil {
		exchange.end(request, err)
		return exchange
	}
	defer response.Body.Close()
	if !s.accepted(exchange, x, response) {
		return exchange
	}
	next, done := 0, false
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "":
		case "data: [DONE]":
			done = true
		case fmt.Sprintf("data: %d", next):
			next++
		default:
			s.wrong(exchange.began, x, "%s: event %q, want %d", exchange.id, line, next)
		}
	}
	exchange.end(request, lines.Err())
	if exchange.whole && (!done || next != n) {
		s.wrong(exchange.began, x, "%s: a cut stream looks complete: %d of %d events", exchange.id, next, n)
	}
	return exchange
}

// slowBody is a body that rests after each chunk, or once only.
type slowBody struct {
	ctx   context.Context //nolint:containedctx // of the request
	left  int
	sent  int
	rest  time.Duration
	pause time.Duration // after the first megabyte
}

func (b *slowBody) Read(to []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	rest := b.rest
	if b.pause > 0 && b.sent >= 1<<20 {
		rest, b.pause = b.pause, 0
	}
	if !sleep(b.ctx, rest) {
		return 0, b.ctx.Err()
	}
	n := copy(to, pattern(b.sent, min(chunk, b.left)))
	b.left -= n
	b.sent += n
	return n, nil
}

// upload sends a file slowly.
func (s *run) upload(ctx context.Context, x *site, client client) *exchange {
	n, every := s.steps()
	return s.uploadBody(ctx, x, client, &slowBody{ctx: ctx, left: n * chunk, rest: every})
}

func (s *run) uploadBody(ctx context.Context, x *site, client client, body *slowBody) *exchange {
	size := body.left
	request := newRequest(ctx, http.MethodPut, x.url()+filePath, s.steady, body)
	if rand.IntN(2) == 0 {
		request.ContentLength = int64(size)
	}
	response, exchange, err := s.ledger.send(client, uploads, request)
	if err != nil {
		exchange.end(request, err)
		return exchange
	}
	defer response.Body.Close()
	if !s.accepted(exchange, x, response) {
		return exchange
	}
	answer, err := io.ReadAll(response.Body)
	exchange.end(request, err)
	if exchange.whole && strings.TrimSpace(string(answer)) != fmt.Sprint(size) {
		s.wrong(exchange.began, x, "%s: the workspace got %s bytes of %d", exchange.id, answer, size)
	}
	return exchange
}

// download reads a file that comes slowly.
func (s *run) download(ctx context.Context, x *site, client client) *exchange {
	n, every := s.steps()
	return s.downloadBody(ctx, x, client, n*chunk, every, 0)
}

func (s *run) downloadBody(ctx context.Context, x *site, client client, size int, every, pause time.Duration) *exchange {
	url := fmt.Sprintf("%s%s?n=%d&every=%d", x.url(), filePath, size, every.Milliseconds())
	request := newRequest(ctx, http.MethodGet, url, s.steady, nil)
	response, exchange, err := s.ledger.send(client, downloads, request)
	if err != nil {
		exchange.end(request, err)
		return exchange
	}
	defer response.Body.Close()
	if !s.accepted(exchange, x, response) {
		return exchange
	}
	got, buffer := 0, make([]byte, chunk)
	for err == nil {
		if pause > 0 && got >= 1<<20 {
			sleep(ctx, pause)
			pause = 0
		}
		var n int
		n, err = response.Body.Read(buffer)
		if !bytes.Equal(buffer[:n], pattern(got, n)) {
			s.wrong(exchange.began, x, "%s: other bytes after %d", exchange.id, got)
		}
		got += n
	}
	if errors.Is(err, io.EOF) { // not io.ErrUnexpectedEOF
		err = nil
	}
	exchange.end(request, err)
	if exchange.whole && got != size {
		s.wrong(exchange.began, x, "%s: a cut download looks complete: %d of %d bytes", exchange.id, got, size)
	}
	return exchange
}

// socket sends messages over a WebSocket and wants them back.
func (s *run) socket(ctx context.Context, x *site, client client) *exchange {
	var exchange *exchange
	var request *http.Request
	dialer := &http.Client{Transport: roundTripper(func(r *http.Request) (response *http.Response, err error) {
		request = r
		response, exchange, err = s.ledger.send(client, sockets, r)
		return response, err
	})}
	url := fmt.Sprintf("%s/driver-proxy-api/o/%d/%s/7772/ssh", x.url(), s.workspace.WorkspaceID(), fakeworkspace.RunningCluster)
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: dialer, HTTPHeader: http.Header{"Authorization": {"Bearer " + s.steady}},
	})
	if err != nil {
		if response != nil {
			s.accepted(exchange, x, response)
		} else {
			exchange.end(request, err)
		}
		return exchange
	}
	defer func() { _ = conn.CloseNow() }()
	n, every := s.steps()
	for i := range n {
		message := []byte(fmt.Sprint(i))
		if err = conn.Write(ctx, websocket.MessageText, message); err != nil {
			break
		}
		var echo []byte
		if _, echo, err = conn.Read(ctx); err != nil {
			break
		}
		if !bytes.Equal(echo, message) {
			s.wrong(exchange.began, x, "%s: %q came back, want %q", exchange.id, echo, message)
		}
		sleep(ctx, every)
	}
	if err == nil {
		err = conn.Close(websocket.StatusNormalClosure, "")
	}
	exchange.end(request, err)
	return exchange
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// accepted reports whether the workspace answers. The token of transfers is always good.
func (s *run) accepted(exchange *exchange, x *site, response *http.Response) bool {
	if verdictOf(response.Header) == passed && response.StatusCode < 300 {
		return true
	}
	body, err := io.ReadAll(response.Body)
	exchange.end(response.Request, err)
	if reason := response.Header.Get("X-Scopegate-Reason"); verdictOf(response.Header) == refused || reason == "" || exchange.whole && exchange.kind != sockets && !ours(response, body) {
		s.wrong(exchange.began, x, "%s: answered %d %v %s", exchange, response.StatusCode, response.Header, body)
	}
	return false
}

// pausedSize is more than the buffers on the way hold.
const pausedSize = 64 << 20

// paused transfers a file in one direction and pauses in the middle. It must survive,
// because the network of the site is quiet and the process goes on.
func (s *run) paused(ctx context.Context, direction string, x *site, client client) {
	ctx, cancel := context.WithTimeout(ctx, s.times.pause+time.Minute)
	defer cancel()
	var exchange *exchange
	for exchange == nil || !s.ledger.arrived(exchange.id) && sleep(ctx, 100*time.Millisecond) { // look-ups may have faults
		if direction == uploads {
			exchange = s.uploadBody(ctx, x, client, &slowBody{ctx: ctx, left: pausedSize, pause: s.times.pause})
		} else {
			exchange = s.downloadBody(ctx, x, client, pausedSize, 0, s.times.pause)
		}
	}
	if !s.ledger.arrived(exchange.id) {
		return // look-ups had faults until it was too late to begin
	}
	s.count("paused " + direction + " " + exchange.result())
	if exchange.result() != whole || exchange.ended.Sub(exchange.began) < s.times.pause {
		s.wrong(exchange.began, x, "%s did not survive a pause", exchange)
	}
}
