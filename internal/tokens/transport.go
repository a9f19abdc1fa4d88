package tokens

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxAnswer bounds one answer of the admin API. One TokenInfo takes about a
	// kilobyte; the unpaginated list takes that for each of a workspace's tokens.
	maxAnswer = 64 << 20

	// maxRetryAfter bounds how long the workspace may tell us to stay away.
	maxRetryAfter = 5 * time.Minute
)

// transport carries the look-ups. It is separate from the one that proxies
// requests, so that neither can starve the other or borrow its credential, and
// it tames the SDK: answers are bounded in time and size, and what means "the
// authority does not answer now" (429, 5xx, broken connections, timeouts) is
// turned into an [UnavailableError] that the SDK does not recognise as worth
// retrying. Its own retries would hold a request for minutes.
type transport struct {
	base    http.RoundTripper
	timeout time.Duration
}

func newTransport(timeout time.Duration) *transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 16
	base.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	base.TLSHandshakeTimeout = timeout
	base.ResponseHeaderTimeout = timeout
	return &transport{base: base, timeout: timeout}
}

// RoundTrip reads the whole answer, so that the deadline covers the body too.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, outageOf(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, outageOf(err)
	}
	if len(body) > maxAnswer {
		return nil, &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("an answer of more than %d MiB", maxAnswer>>20)}
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, &UnavailableError{Outage: Throttled, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	case resp.StatusCode >= http.StatusInternalServerError:
		return nil, &UnavailableError{
			Outage:     ServerError,
			RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
			Err:        fmt.Errorf("status %d", resp.StatusCode),
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// outageOf hides the cause: the SDK retries what it recognises as a network error,
// by its type or by words in its text.
func outageOf(err error) *UnavailableError {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &UnavailableError{Outage: TimedOut}
	}
	var (
		resolving   *net.DNSError
		dialling    *net.OpError
		certificate *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &resolving):
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("its name %q does not resolve", resolving.Name)}
	case errors.As(err, &certificate):
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("its certificate is not trusted: %w", certificate.Err)}
	case errors.As(err, &notTLS):
		return &UnavailableError{Outage: Unreachable, Err: errors.New("it does not speak TLS")}
	case errors.As(err, &dialling) && dialling.Op == "dial":
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("nothing accepts connections at %s", dialling.Addr)}
	}
	return &UnavailableError{Outage: Unreachable, Err: errors.New("the connection broke")}
}

// retryAfter reads a Retry-After header, in seconds or as a date (RFC 9110,
// section 10.2.3). It returns 0 for none and for what it cannot read.
func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// close ends idle connections.
func (t *transport) close() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
