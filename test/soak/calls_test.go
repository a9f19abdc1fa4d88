package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// client sends requests over connections of one kind.
type client struct {
	http.RoundTripper
	name string
}

// newClients makes one client of each kind.
func newClients() []client { return []client{kept(), newConnections(), h2c()} }

// kept returns an HTTP/1.1 client for one site and one goroutine, which keeps its
// connection.
func kept() client { return client{new(keepAlive), "kept connection"} }

// newConnections returns an HTTP/1.1 client that never repeats a request by itself:
// [http.Transport] does so on kept connections only.
func newConnections() client {
	return client{&http.Transport{DisableKeepAlives: true}, "new connection"}
}

// h2c returns a client for cleartext HTTP/2. It repeats by itself only what the server
// says that it has not processed.
func h2c() client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return client{transport, "HTTP/2"}
}

// call lists jobs with all tokens, one after the other, and compares each answer with the
// token's true state.
func (s *run) call(ctx context.Context, x *site, client client) {
	for sleep(ctx, time.Duration(rand.Int64N(int64(60*time.Millisecond)))) {
		patience := time.Second + time.Duration(rand.Int64N(int64(7*time.Second)))
		if rand.IntN(40) == 0 {
			patience = 20*time.Millisecond + time.Duration(rand.Int64N(int64(500*time.Millisecond)))
		}
		if rand.IntN(50) == 0 {
			s.callOnce(ctx, x, client, patience, nil)
		} else {
			s.callOnce(ctx, x, client, patience, s.actors[rand.IntN(len(s.actors))])
		}
	}
}

// callOnce sends one call, with an invented token if there is no actor. It returns false
// if the workspace did not answer all of it.
func (s *run) callOnce(ctx context.Context, x *site, client client, patience time.Duration, a *actor) bool {
	token := fmt.Sprintf("dapi%016x%016x", rand.Uint64(), rand.Uint64())
	if a != nil {
		token = a.value
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request := newRequest(ctx, http.MethodGet, x.url()+harness.JobsList, token, nil)
	asked := time.Now()
	response, exchange, body, err := s.ledger.do(client, "call", request)
	s.count("call " + exchange.result())
	if response == nil {
		return false
	}
	got := verdictOf(response.Header)
	if problem := a.wrong(got, s.times.lag, asked, time.Now()); problem != "" {
		s.wrong(asked, x, "%s: %d %v", problem, response.StatusCode, response.Header)
	}
	switch reason := exchange.reason; {
	case got == confused && !s.rejection.explains(asked):
		s.wrong(asked, x, "%d %s, but its credential was not refused", response.StatusCode, reason)
	case reason == unavailable && x.quiet:
		s.wrong(asked, x, "%d %s, but its network has no faults", response.StatusCode, reason)
	case reason == "" && response.StatusCode == http.StatusForbidden && a != nil && !a.good():
	case reason == "" && response.StatusCode != http.StatusOK:
		s.wrong(asked, x, "%s: %d that the workspace did not send: %v %s", exchange, response.StatusCode, response.Header, body)
	case reason != "" && err == nil && !ours(response, body):
		s.wrong(asked, x, "%d %s is not in Databricks' form: %v %s", response.StatusCode, reason, response.Header, body)
	}
	if exchange.result() != whole {
		return false
	}
	x.passes.note(time.Now())
	return true
}

// ours reports whether an answer has the form of the gateway's own.
func ours(response *http.Response, body []byte) bool {
	var content harness.RefusalBody
	err := json.Unmarshal(body, &content)
	return err == nil && content.ErrorCode == response.StatusCode && content.Message != "" && response.Header.Get("X-Request-Id") != ""
}
