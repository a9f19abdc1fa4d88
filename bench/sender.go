package main

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// sender sends the calls of one worker to a target. It is not for concurrent use.
type sender interface {
	// send sends the i-th call. Any answer but the expected one is an error.
	send(i int) error
	release()
}

// refusal is an answer that does not allow a call.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string {
	return fmt.Sprintf("a request was answered with status %d (%s)", r.status, r.reason)
}

// temporary reports whether a gateway may answer so while it is looking up tokens. What
// nginx answers in its place is a 500.
func (r refusal) temporary() bool {
	return slices.Contains([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError}, r.status)
}

// httpSender sends prepared HTTP requests, on the keep-alive connections of a client.
type httpSender struct {
	client   *fasthttp.HostClient
	requests []*fasthttp.Request
	response *fasthttp.Response
	size     int // of the body of each response
}

func newHTTPSender(client *fasthttp.HostClient, requests []*fasthttp.Request, size int) *httpSender {
	return &httpSender{client, requests, fasthttp.AcquireResponse(), size}
}

func (s *httpSender) send(i int) error {
	return check(s.response, s.client.Do(s.requests[i], s.response), s.size)
}

func (s *httpSender) release() {
	for _, r := range s.requests {
		fasthttp.ReleaseRequest(r)
	}
	fasthttp.ReleaseResponse(s.response)
}

// check accepts only the expected response. All requests are allowed, so any other
// response means that the run measured something else.
func check(response *fasthttp.Response, err error, size int) error {
	switch {
	case err != nil:
		return fmt.Errorf("a request failed: %w", err)
	case response.StatusCode() != fasthttp.StatusOK:
		return refusal{response.StatusCode(), string(response.Header.Peek("X-Scopegate-Reason"))}
	case len(response.Body()) != size:
		return fmt.Errorf("a response has %d bytes instead of %d", len(response.Body()), size)
	}
	return nil
}

const userAgent = "databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat"

func requestsOf(calls []call) []*fasthttp.Request {
	requests := make([]*fasthttp.Request, len(calls))
	for i, c := range calls {
		r := fasthttp.AcquireRequest()
		// All targets share the requests. None of them checks the host.
		r.SetRequestURI("http://localhost" + c.path)
		r.Header.SetUserAgent(userAgent)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.token)
		requests[i] = r
	}
	return requests
}

func newClient(address string) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr:                      address,
		MaxConns:                  connections,
		MaxIdleConnDuration:       time.Hour,
		MaxIdemponentCallAttempts: 1, // a failed request must not be hidden by a retry
		DisablePathNormalizing:    true,
		ReadTimeout:               requestTimeout,
		WriteTimeout:              requestTimeout,
		Dial: func(address string) (net.Conn, error) {
			return net.DialTimeout("tcp", address, requestTimeout)
		},
	}
}
