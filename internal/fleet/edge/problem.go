package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// maxRetryAfter bounds how long an authority can make us wait.
const maxRetryAfter = 5 * time.Minute

// problemOf says what an answer means that has not what was asked for.
func (c *Client) problemOf(a answer) error {
	problem, err := wire.DecodeProblem(a.body)
	if err != nil && a.status == http.StatusMisdirectedRequest {
		return badAnswer("status 421: its server compares the name in TLS with that of the request; name the authority by a host name in its URL, not by an address")
	}
	if err != nil && a.status == http.StatusBadRequest {
		return badAnswer("status 400 of something that is no authority; if it speaks TLS, its URL begins with https://")
	}
	if err != nil {
		return badAnswer(fmt.Sprintf("status %d of something that is no authority", a.status))
	}
	if problem.Workspace > 0 {
		c.workspaceID.Store(problem.Workspace)
	}
	outage := &tokens.UnavailableError{RetryAfter: retryAfter(a.header)}
	switch problem.Code {
	case wire.UnknownTokenCode:
		return tokens.ErrUnknownToken
	case wire.UnauthorizedCode, wire.ForbiddenCode, wire.InsecureCode:
		outage.Outage, outage.Err = tokens.EdgeRefused, fmt.Errorf("status %d", a.status)
		return outage.ForEveryone()
	case wire.WorkspaceCode:
		outage.Outage = tokens.EdgeRefused
		outage.Err = fmt.Errorf("the authority serves another workspace than %s; both must have the same URL", wire.Workspace(c.options.WorkspaceURL))
		return outage.ForEveryone()
	case wire.RateCode:
		outage.Outage, outage.Err = tokens.Overloaded, errors.New("limits of databricks_authority are reached")
		return outage
	case wire.UnavailableCode:
		if of, ok := tokens.ParseOutage(problem.Outage); ok {
			outage.Outage = of
			return outage
		}
		outage.Outage = tokens.AuthorityUnreachable
		outage.Err = errors.New("it answered that it has no time or no place for this edge; see its log, and limits of databricks_authority")
		return outage.ForEveryone()
	}
	return badAnswer(fmt.Sprintf("status %d", a.status))
}

func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

func badAnswer(why string) error {
	return &tokens.UnavailableError{Outage: tokens.BadAnswer, Err: errors.New("the authority: " + why)}
}

// notConfigured says that this edge's own settings cannot be used.
func notConfigured(err error) error {
	return (&tokens.UnavailableError{Outage: tokens.EdgeRefused, Err: err}).ForEveryone()
}

// unreachable says why there is no answer. The texts of errors may have an address, and nothing
// else of what was sent.
func unreachable(ctx context.Context, err error) error {
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok {
		return outage
	}
	outage := &tokens.UnavailableError{Outage: tokens.AuthorityUnreachable}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var expired x509.CertificateInvalidError
	var noTLS tls.RecordHeaderError
	var unresolved *net.DNSError
	var failed *net.OpError
	op := ""
	if errors.As(err, &failed) {
		op = failed.Op
	}
	switch {
	case errors.As(err, &unknown):
		outage.Err = errors.New("its certificate is of a certificate authority that is not trusted; set trust to that one's PEM file")
	case errors.As(err, &name):
		outage.Err = errors.New("its certificate is for another name than the URL has")
	case errors.As(err, &expired):
		outage.Err = errors.New("its certificate is not valid now")
	case op == "remote error": // so package tls calls an alert of the other side
		outage.Err = fmt.Errorf("it ended TLS (%w); a client certificate may be missing, or not be trusted", failed.Err)
	case errors.Is(ctx.Err(), context.Canceled):
		outage.Outage = tokens.Closed
		return outage
	case ctx.Err() != nil:
		outage.Err = errors.New("there was no answer in time")
	case errors.As(err, &noTLS):
		outage.Err = errors.New("it does not speak TLS; check the port")
	case errors.As(err, &unresolved):
		outage.Err = errors.New("its host name does not resolve")
	case errors.Is(err, syscall.ECONNREFUSED):
		outage.Err = errors.New("the connection was refused; nothing listens there")
	case op == "dial":
		outage.Err = errors.New("no connection")
	default:
		// In TLS 1.3, a client certificate is refused after the handshake, and whether the alert
		// arrives before the end of the connection is a matter of an instant.
		outage.Err = errors.New("the connection broke; if it always does, a client certificate may be missing, or not be trusted")
	}
	return outage.ForEveryone()
}

func isUnreachable(err error) bool {
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	return ok && outage.Outage == tokens.AuthorityUnreachable
}
