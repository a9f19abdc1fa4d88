package preflight

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const checkGateway = "gateway"

// RunFromClient makes the checks of a place where clients run: the workspace must not answer
// there, and the gateway must. It uses no credential. Without the URL of a gateway it checks
// only the first.
func RunFromClient(ctx context.Context, workspace, gateway string, timeout time.Duration, report *Report) {
	report.closed(ctx, workspace, timeout)
	if gateway != "" {
		report.gateway(ctx, gateway, timeout)
	}
}

// closed checks that clients cannot go around the gateway, with and without the proxy of this
// environment.
func (r *Report) closed(ctx context.Context, workspace string, timeout time.Duration) {
	const advice = "close the way to the workspace for all but the gateway, by a firewall, a network policy or the workspace's IP access list"
	way, err := reach(ctx, workspace, timeout, nil)
	if err == nil {
		r.fail(checkDirect, workspace, fmt.Sprintf("clients here reach the workspace without the gateway (it answers %d)", way.status), advice)
		return
	}
	through, proxyErr := reach(ctx, workspace, timeout, http.ProxyFromEnvironment)
	if through.proxy != "" && proxyErr == nil && through.status < http.StatusBadRequest {
		r.fail(checkDirect, workspace, "clients here reach the workspace without the gateway, through the proxy "+through.proxy, "have the proxy refuse the workspace")
		return
	}
	why, _ := way.explain(err, "the workspace")
	_, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	if _, isName := errors.AsType[x509.HostnameError](err); isUnknown || isName {
		r.fail(checkDirect, workspace, "clients here get an answer of the workspace's address, though "+why, advice+"; clients can be told to trust any certificate")
		return
	}
	if way.dialed != "" {
		r.warn(checkDirect, workspace, "something accepts connections to "+way.dialed+", but no request is answered: "+why, "make sure that it is a firewall, and not a workspace that is down")
		return
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		r.warn(checkDirect, workspace, "closed as far as names go: "+dns.Name+" is not found here", "check the spelling, and that connections to the workspace's IP addresses are refused, too")
		return
	}
	r.ok(checkDirect, workspace, "closed: "+why)
}

// gateway checks that the gateway answers, and judges.
func (r *Report) gateway(ctx context.Context, gateway string, timeout time.Duration) {
	way, err := reach(ctx, gateway, timeout, nil)
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	if err != nil && !untrusted {
		detail, advice := way.explain(err, "the gateway")
		r.fail(checkGateway, gateway, detail, advice)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	header, err := askGateway(ctx, gateway, nil)
	switch {
	case err != nil:
		detail, advice := way.explain(err, "the gateway")
		r.fail(checkGateway, gateway, detail, advice)
	case !refuses(header):
		r.fail(checkGateway, gateway, "a request without a credential passes, so what answers is no scopegate gateway, or one with mode observe", "check the address; if the gateway observes, check again once its mode is enforce")
	case untrusted:
		r.warn(checkGateway, gateway, "it answers and judges, but this machine does not trust its certificate", "have clients trust the root certificate that the gateway names when it starts")
	case strings.HasPrefix(strings.ToLower(gateway), "http://"):
		r.ok(checkGateway, gateway, "it answers and judges; without TLS it cannot be proven whose gateway it is, so reach it only by the loopback address or a network that you trust")
	default:
		r.ok(checkGateway, gateway, "it answers and judges")
	}
}
