package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

// Kind is how a request that passed was not answered (fixed list). The words are those
// of audit records.
type Kind string

const (
	// Answered: the client got an answer, which tells it what it did wrong.
	Answered Kind = "answered"
	// Left: the client left before there was an answer, or stopped sending.
	Left Kind = "client_left"
	// Reset: the connection broke, or what the workspace sent was not an answer.
	Reset Kind = "upstream_reset"
	// TimedOut: the workspace did not answer in time.
	TimedOut Kind = "upstream_timeout"
	// Unreachable: there was no connection.
	Unreachable Kind = "upstream_unreachable"
)

// Failure says why a request that passed was not answered by the workspace, and what the
// client gets instead.
type Failure struct {
	Kind Kind
	// Detail says more (fixed list), such as connection_refused.
	Detail string
	// Status is that of the answer: 503 where clients retry by themselves when they use
	// the workspace directly, or may do so because nothing was sent or the request is
	// safe to repeat; 504 for a time-out; otherwise 502, which clients do not retry.
	Status int
	// Message is for the client. It holds nothing of the error: some SDKs retry for
	// minutes on its words.
	Message string
	// RetryAfter is when to try again, with status 503.
	RetryAfter time.Duration
}

// retryAfter is short: a broken connection is replaced at once.
const retryAfter = time.Second

const (
	messageUnreachable = "The workspace cannot be reached."
	messageReset       = "The connection to the workspace broke before there was an answer."
	messageTimedOut    = "The workspace did not answer in time."
	messageBody        = "The body of the request is not valid HTTP."
	messageSlowBody    = "The body of the request was not sent in time."
	messageNoHandler   = "The gateway is not configured to pass this request to the workspace; tell its operator."
	messageInvalid     = "The workspace sent something that is not an HTTP answer to this request."
)

// ErrUnaskedUpgrade says that the workspace switched protocols of a request that did not
// ask for it.
var ErrUnaskedUpgrade = errors.New("the workspace switched protocols without being asked")

// ErrMalformed says that the workspace sent a status that HTTP does not have.
var ErrMalformed = errors.New("malformed HTTP status")

// Unknown is the failure of a proxied request whose error is not known here.
func Unknown() *Failure {
	return &Failure{Kind: Reset, Detail: "other", Status: http.StatusBadGateway, Message: messageReset}
}

// NoHandler is the failure of a request for which the site has no handler that would pass
// it to the workspace.
func NoHandler() *Failure {
	return &Failure{Kind: Unreachable, Detail: "no_handler", Status: http.StatusBadGateway, Message: messageNoHandler}
}

// Error is a failure as an error. Its text is made of fixed words: errors of net/http
// quote what the workspace sent, and Caddy logs them.
type Error struct {
	*Failure
	err error
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

func (e *Error) Unwrap() error { return e.err }

// Timeout is asked by Caddy's proxy.
func (e *Error) Timeout() bool { return e.Status == http.StatusGatewayTimeout }

// Temporary is asked with Timeout.
func (e *Error) Temporary() bool { return false }

// Quiet returns an error of the connection to the workspace as an [*Error]. That the
// client left passes as it is, because Caddy looks for it.
func Quiet(r *http.Request, err error) error {
	failure := FailureOf(r, err)
	switch {
	case failure == nil:
		failure = Unknown()
	case failure.Kind == Left:
		return err
	}
	return &Error{failure, err}
}

// FailureOf tells what an error of a proxied request means. It returns nil for errors
// that are not about the workspace, such as those of other handlers.
func FailureOf(r *http.Request, err error) *Failure {
	if errors.Is(r.Context().Err(), context.Canceled) || errors.Is(err, context.Canceled) {
		return &Failure{Kind: Left}
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known.Failure
	}
	if f := connectFailure(err); f != nil {
		return f
	}
	var stream http2.StreamError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrUnaskedUpgrade):
		return &Failure{Kind: Reset, Detail: "unasked_upgrade", Status: http.StatusBadGateway, Message: messageInvalid}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return &Failure{Kind: Reset, Detail: "connection_reset", Status: http.StatusServiceUnavailable, Message: messageReset, RetryAfter: retryAfter}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), says(err, "server closed idle connection", "readLoopPeekFailLocked"):
		return repeatable(r, &Failure{Kind: Reset, Detail: "connection_closed", Message: messageReset})
	case errors.As(err, &stream) && stream.Code == http2.ErrCodeRefusedStream,
		says(err, "REFUSED_STREAM", "graceful shutdown GOAWAY", "received GOAWAY from server"):
		// HTTP/2 promises that such a request was not processed (RFC 9113, section 8.7).
		return &Failure{Kind: Reset, Detail: "stream_refused", Status: http.StatusServiceUnavailable, Message: messageReset, RetryAfter: retryAfter}
	case errors.As(err, &stream), says(err, "stream error:", "sent GOAWAY"):
		return repeatable(r, &Failure{Kind: Reset, Detail: "stream_reset", Message: messageReset})
	case says(err, "client connection lost", "client connection force closed"), errors.Is(err, syscall.ETIMEDOUT):
		return repeatable(r, &Failure{Kind: TimedOut, Detail: "connection_lost", Message: messageReset})
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return &Failure{Kind: TimedOut, Detail: "no_answer", Status: http.StatusGatewayTimeout, Message: messageTimedOut}
	case says(err, "malformed", "server response headers exceeded", "Content-Length", "connection error: ", "unsupported transfer encoding"):
		return &Failure{Kind: Reset, Detail: "malformed_answer", Status: http.StatusBadGateway, Message: messageInvalid}
	}
	return nil
}

// BodyFailure tells what it means that the body of a request could not be read from the
// client. A client that has closed its side may still read the answer.
func BodyFailure(r *http.Request, err error) *Failure {
	var timeout net.Error
	var network *net.OpError
	f := &Failure{Kind: Left, Detail: "incomplete_body", Status: http.StatusBadRequest, Message: messageBody}
	switch {
	case r.Context().Err() != nil, errors.Is(err, io.ErrUnexpectedEOF):
	case errors.As(err, &timeout) && timeout.Timeout():
		f.Detail, f.Status, f.Message = "slow_body", http.StatusRequestTimeout, messageSlowBody
	case errors.As(err, &network):
	default:
		f.Kind, f.Detail = Answered, "malformed_body"
	}
	return f
}

// connectFailure tells why there was no connection, nil if there was one. Nothing was
// sent, so every request may be repeated; where that would not help, it is not suggested.
func connectFailure(err error) *Failure {
	// Caddy hides the type of what its dialer returns.
	switch {
	case says(err, "no such host"):
		return unreachable("host_not_found", false)
	case says(err, "dial tcp: lookup "):
		return unreachable("dns_failed", true)
	case certificateProblem(err):
		return unreachable("certificate_not_trusted", false)
	case isRecordHeader(err):
		return unreachable("not_tls", false)
	case says(err, "TLS handshake timeout"):
		return unreachable("tls_timeout", true)
	case says(err, "remote error: tls", "tls: "):
		return unreachable("tls_failed", false)
	case says(err, "dial ", "proxyconnect ") && says(err, "i/o timeout"):
		return unreachable("connect_timeout", true)
	case says(err, "connection refused"):
		return unreachable("connection_refused", true)
	case says(err, "dial ", "proxyconnect ", "no upstreams available"):
		return unreachable("no_connection", true)
	}
	return nil
}

func unreachable(detail string, passes bool) *Failure {
	f := &Failure{Kind: Unreachable, Detail: detail, Status: http.StatusBadGateway, Message: messageUnreachable}
	if passes {
		f.Status, f.RetryAfter = http.StatusServiceUnavailable, retryAfter
	}
	return f
}

// repeatable completes a failure after which the workspace may have done what it was
// asked to: only requests that HTTP clients repeat by themselves are answered by 503,
// which SDKs retry.
func repeatable(r *http.Request, f *Failure) *Failure {
	f.Status = http.StatusBadGateway
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		f.Status, f.RetryAfter = http.StatusServiceUnavailable, retryAfter
	}
	return f
}

func certificateProblem(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		unknown      x509.UnknownAuthorityError
		name         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid)
}

func isRecordHeader(err error) bool {
	var notTLS tls.RecordHeaderError
	return errors.As(err, &notTLS) || says(err, "server gave HTTP response to HTTPS client")
}

// says reports whether an error of net/http, which has no type for it, contains one of
// the texts.
func says(err error, texts ...string) bool {
	message := err.Error()
	for _, text := range texts {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}
