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
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxAnswer bounds one answer; a token takes about a kilobyte. The list has no
	// pages and takes up to a kilobyte for each token of a workspace: maxList is enough
	// for a hundred thousand.
	maxAnswer = 1 << 20
	maxList   = 64 << 20

	// listPath is the suffix of the list's path, and of no other.
	listPath = "/token-management/tokens"

	// workspaceHeader carries the workspace's own ID. The SDK relies on it too.
	workspaceHeader = "X-Databricks-Org-Id"

	// maxRetryAfter bounds how long the workspace can make us wait.
	maxRetryAfter = 5 * time.Minute
)

// Transport is the [http.RoundTripper] for requests of our own to a workspace, such as
// look-ups. It is separate from the one that proxies requests, so that neither can
// starve the other or use its credential. It bounds answers in time and size, and
// turns 429, 5xx, broken connections and timeouts into an [*UnavailableError] that the
// SDK does not recognize as worth retrying: the SDK's retries would hold a request for
// minutes. It follows no redirects.
type Transport struct {
	base    http.RoundTripper
	timeout time.Duration

	workspaceID atomic.Int64 // of the last answer, 0 before

	// Close cancels requests through closing, because the SDK signs in under a context
	// of its own.
	closing context.Context
	stop    context.CancelFunc
	running tasks
}

// NewTransport returns a transport whose requests may take as long as the timeout, or
// a minute for the list of all tokens. Close it.
func NewTransport(timeout time.Duration) *Transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 16
	base.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	base.TLSHandshakeTimeout = timeout
	closing, stop := context.WithCancel(context.Background())
	return &Transport{base: base, timeout: timeout, closing: closing, stop: stop}
}

// RoundTrip implements [http.RoundTripper]. It reads the whole answer, so that the
// deadline covers the body too. Its errors are of type [*UnavailableError].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.running.begin() {
		return nil, &UnavailableError{Outage: Closed}
	}
	defer t.running.end()
	timeout, limit := t.timeout, int64(maxAnswer)
	if strings.HasSuffix(req.URL.Path, listPath) {
		timeout, limit = max(timeout, listTimeout), maxList
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	defer context.AfterFunc(t.closing, cancel)()
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, outageOf(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, outageOf(err)
	}
	if int64(len(body)) > limit {
		return nil, &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("the answer is larger than %d MiB", limit>>20)}
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
	if id, err := strconv.ParseInt(resp.Header.Get(workspaceHeader), 10, 64); err == nil && resp.StatusCode == http.StatusOK {
		t.workspaceID.Store(id)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// outageOf hides the cause, because the SDK retries what it recognizes as a network
// error by its type or text.
func outageOf(err error) *UnavailableError {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &UnavailableError{Outage: TimedOut}
	}
	var (
		dns         *net.DNSError
		dial        *net.OpError
		certificate *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("host name %q does not resolve", dns.Name)}
	case errors.As(err, &certificate):
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("its TLS certificate is not trusted: %w", certificate.Err)}
	case errors.As(err, &notTLS):
		return &UnavailableError{Outage: Unreachable, Err: errors.New("it does not speak TLS")}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &UnavailableError{Outage: Unreachable, Err: fmt.Errorf("nothing accepts connections at %s", dial.Addr)}
	}
	return &UnavailableError{Outage: Unreachable, Err: errors.New("the connection broke")}
}

// retryAfter parses a Retry-After header, in seconds or as a date (RFC 9110, section
// 10.2.3). It returns 0 if there is none or it is invalid.
func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// Close cancels requests in progress, waits for them, and closes idle connections.
// Later requests fail with [Closed].
func (t *Transport) Close() {
	t.stop()
	t.running.close()
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
