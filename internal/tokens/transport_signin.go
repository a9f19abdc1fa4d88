package tokens

import (
	"errors"
	"io"
	"net/http"
)

// signInTransport is a transport for the requests with which the SDK signs in. It
// retries those for a minute when the text of an error holds one of a few words, 429
// among them, and net/http's errors quote the URL: the number of a workspace, or a
// port, may hold it as well. So an outage comes as an answer whose body cannot be
// read, in words that are none of those.
type signInTransport struct{ *transport }

// RoundTrip implements [http.RoundTripper].
func (t signInTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.transport.RoundTrip(req)
	var outage *UnavailableError
	if !errors.As(err, &outage) {
		return resp, err
	}
	return &http.Response{
		StatusCode: http.StatusBadGateway,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}}, // or the SDK does not read it at once
		Body:          io.NopCloser(unreadable{outage}),
		ContentLength: -1,
		Request:       req,
	}, nil
}

// unreadable is a body that ends in an outage, and the error that says so.
type unreadable struct{ outage *UnavailableError }

func (u unreadable) Read([]byte) (int, error) { return 0, u }
func (u unreadable) Error() string            { return "no answer" }
func (u unreadable) Unwrap() error            { return u.outage }
