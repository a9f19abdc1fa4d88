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
	// maxAnswer bounds one answer of the admin API. One TokenInfo takes about a
	// kilobyte. The list has no pages and takes that, or half of it, for each of a
	// workspace's tokens: maxList is enough for a hundred thousand.
	maxAnswer = 1 << 20
	maxList   = 64 << 20

	// listPath is the end of the list's path, and of no other.
	listPath = "/token-management/tokens"

	// workspaceHeader is where the workspace tells its own id. The SDK relies on it
	// too.
	workspaceHeader = "X-Databricks-Org-Id"

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

	workspaceID atomic.Int64 // as last told, 0 before

	// The SDK signs in under a context of its own, so that closing must reach what
	// is under way from here.
	closing context.Context
	stop    context.CancelFunc
	running tasks
}

func newTransport(timeout time.Duration) *transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 16
	base.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	base.TLSHandshakeTimeout = timeout
	closing, stop := context.WithCancel(context.Background())
	return &transport{base: base, timeout: timeout, closing: closing, stop: stop}
}

// RoundTrip reads the whole answer, so that the deadline covers the body too.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
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
		return nil, &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("an answer of more than %d MiB", limit>>20)}
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

// close ends requests under way and then idle connections, of which there are no
// new ones after it.
func (t *transport) close() {
	t.stop()
	t.running.close()
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
