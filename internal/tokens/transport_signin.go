package tokens

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// signInTransport is the transport for the SDK's sign-in requests. The SDK retries
// those for a minute if the text of an error contains one of a few words, such as
// 429, and net/http's errors quote the URL, where the number of a workspace or a port
// may contain 429 too. So this transport reports an outage as an answer whose body
// cannot be read, with a text that contains none of these words.
//
// The workspace's own documents say where to sign in. If secure, a secret is not sent there
// without TLS.
type signInTransport struct {
	*Transport
	secure bool
}

// RoundTrip implements [http.RoundTripper].
func (t signInTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	var err error
	// A form may hold a secret, too. What a cloud's metadata service is asked with GET holds none.
	if t.secure && req.URL.Scheme != "https" && (req.Method == http.MethodPost || req.Header.Get("Authorization") != "") {
		err = &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("it wants credentials sent without TLS, to %s", req.URL.Host)}
	} else {
		resp, err = t.Transport.RoundTrip(req)
	}
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

// unreadable is a body that fails with an outage, and the error it fails with.
type unreadable struct{ outage *UnavailableError }

func (u unreadable) Read([]byte) (int, error) { return 0, u }
func (u unreadable) Error() string            { return "no answer" }
func (u unreadable) Unwrap() error            { return u.outage }
