package tokens

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/internal/strictjson"
)

const (
	// maxAnswer bounds one answer; a token takes about a kilobyte. The list has no
	// pages and takes up to a kilobyte for each token of a workspace: maxList is enough
	// for a hundred thousand.
	maxAnswer = 1 << 20
	maxList   = 64 << 20

	// listPath is the suffix of the list's path, and of no other.
	listPath = "/token-management/tokens"

	// maxRetryAfter bounds how long the workspace can make us wait.
	maxRetryAfter = 5 * time.Minute
)

// liveness says when a connection on which nothing arrives is given up. What lies
// between may have forgotten it without telling either end, and net/http would go on
// using it: an HTTP/2 connection forever, by default.
type liveness struct {
	// ping is how long a connection is quiet before it is asked whether it lives: by an
	// HTTP/2 ping while it is in use, by TCP keep-alive probes always.
	ping time.Duration
	// answer is how long the answer to a ping may take.
	answer time.Duration
}

// usual gives up a silent HTTP/2 connection after 15 seconds.
var usual = liveness{ping: 10 * time.Second, answer: 5 * time.Second}

// Transport is the [http.RoundTripper] for requests of our own to a workspace, such as
// look-ups. It is separate from the one that proxies requests, so that neither can
// starve the other or use its credential. It bounds answers in time and size, and
// turns 429, 5xx, broken connections and timeouts into an [*UnavailableError] that the
// SDK does not recognize as worth retrying: the SDK's retries would hold a request for
// minutes. It follows no redirects. After a failure, requests use new connections.
type Transport struct {
	base    atomic.Pointer[http.Transport] // replaced after a failure
	timeout time.Duration

	// Close cancels requests through closing, because the SDK signs in under a context
	// of its own.
	closing context.Context
	stop    context.CancelFunc
	running tasks
}

// NewTransport returns a transport whose requests may take as long as the timeout, or
// a minute for the list of all tokens. Close it.
func NewTransport(timeout time.Duration) *Transport { return newTransport(timeout, usual) }

func newTransport(timeout time.Duration, live liveness) *Transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 16
	base.DialContext = (&net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: live.ping, Interval: live.answer, Count: 3},
	}).DialContext
	base.TLSHandshakeTimeout = timeout
	base.HTTP2 = &http.HTTP2Config{
		SendPingTimeout:  live.ping,
		PingTimeout:      live.answer,
		WriteByteTimeout: live.ping + live.answer,
	}
	closing, stop := context.WithCancel(context.Background())
	t := &Transport{timeout: timeout, closing: closing, stop: stop}
	t.base.Store(base)
	return t
}

// RoundTrip implements [http.RoundTripper]. It reads the whole answer, so that the
// deadline covers the body too. Its errors are of type [*UnavailableError].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.running.begin() {
		return nil, &UnavailableError{Outage: Closed}
	}
	defer t.running.end()
	if err := checkHeader(req.Header); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, (&UnavailableError{Outage: NotConfigured, Err: err}).forEveryone()
	}
	resp, outage := t.roundTrip(req)
	if outage != nil {
		if !strings.Contains(req.URL.Path, listPath+"/") {
			outage.everyone = true // a request to sign in, say, is about no token
			if outage.Outage == UnusableAnswer {
				outage.Outage = BadAnswer
			}
		}
		return nil, outage
	}
	return resp, nil
}

// GatewayHeader is on every refusal of a gateway, and on no answer of a workspace.
const GatewayHeader = "X-Scopegate-Reason"

var errGateway = errors.New("a scopegate gateway answers there; use the URL of the workspace itself (DATABRICKS_HOST may be that of the gateway)")

func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

func (t *Transport) roundTrip(req *http.Request) (*http.Response, *UnavailableError) {
	timeout, limit := t.timeout, int64(maxAnswer)
	if strings.HasSuffix(req.URL.Path, listPath) {
		timeout, limit = max(timeout, listTimeout), maxList
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	defer context.AfterFunc(t.closing, cancel)()
	base := t.base.Load()
	resp, err := base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, t.failed(base, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, t.failed(base, err)
	}
	if int64(len(body)) > limit {
		return nil, &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("the answer is larger than %d MiB", limit>>20)}
	}
	switch {
	case resp.StatusCode >= http.StatusMovedPermanently && resp.StatusCode < http.StatusBadRequest:
		// The SDK would follow it, to another host and with the credential.
		to, err := resp.Location()
		if err != nil {
			to = new(url.URL)
		}
		return nil, &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("it redirects to %s (status %d)", cmp.Or(to.Host, "nowhere"), resp.StatusCode)}
	case refused(resp.StatusCode) && resp.Header.Get(GatewayHeader) != "":
		return nil, &UnavailableError{Outage: Rejected, Err: errGateway}
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, &UnavailableError{Outage: Throttled, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	case resp.StatusCode >= http.StatusInternalServerError:
		return nil, &UnavailableError{
			Outage:     ServerError,
			RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
			Err:        fmt.Errorf("status %d", resp.StatusCode),
		}
	}
	if limit == maxAnswer && strictjson.Valid(body) && strictjson.Unique(body) != nil {
		// The list is read by [readList].
		return nil, unusable(DuplicateName, "two members of an object have the same name")
	}
	if strings.Contains(req.URL.Path, listPath) { // and not to sign in
		note(req, resp)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// failed returns the outage that an error is, and leaves all connections behind. What
// silenced one, such as a firewall that restarted, has silenced the others too, and each
// would cost another look-up its timeout. Closing the idle ones would not do: an HTTP/2
// connection is in use until the request that failed has been cleaned up.
func (t *Transport) failed(base *http.Transport, err error) *UnavailableError {
	if !errors.Is(err, context.Canceled) && t.base.CompareAndSwap(base, base.Clone()) {
		base.CloseIdleConnections()
	}
	return outageOf(err)
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
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &UnavailableError{Outage: HostNotFound, everyone: true, Err: fmt.Errorf("host name %q does not resolve", dns.Name)}
	case errors.As(err, &dns):
		return &UnavailableError{Outage: Unreachable, everyone: true, Err: fmt.Errorf("resolving host name %q failed", dns.Name)}
	case errors.As(err, &certificate):
		return &UnavailableError{Outage: TLSFailed, everyone: true, Err: fmt.Errorf("its TLS certificate is not trusted: %w", certificate.Err)}
	case errors.As(err, &notTLS):
		return &UnavailableError{Outage: TLSFailed, everyone: true, Err: errors.New("it does not speak TLS")}
	case errors.As(err, &alert):
		return &UnavailableError{Outage: TLSFailed, Err: fmt.Errorf("the TLS handshake failed: %w", alert)}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &UnavailableError{Outage: Unreachable, everyone: true, Err: fmt.Errorf("nothing accepts connections at %s", dial.Addr)}
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
	t.base.Load().CloseIdleConnections()
}
