// Package transport is the proxy's transport to a workspace, a Caddy module.
package transport

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/scopegate/scopegate/internal/passthrough"
	"github.com/scopegate/scopegate/internal/upstream"
)

func init() {
	caddy.RegisterModule(Transport{})
}

// Module is the name of the transport in Caddy's namespace of proxy transports.
const Module = "databricks"

const (
	dialTimeout         = 10 * time.Second
	tlsHandshakeTimeout = 10 * time.Second

	// responseHeaderTimeout is longer than any call of Databricks takes: statements wait
	// for 50 seconds, model serving for 5 minutes, commands of clusters for longer.
	responseHeaderTimeout = 15 * time.Minute

	// pingAfter and pingTimeout: an HTTP/2 connection on which nothing arrives for as
	// long as both together is closed.
	pingAfter   = 10 * time.Second
	pingTimeout = 10 * time.Second

	// idleTimeout bounds how long a connection waits for its next request. HTTP/1.1 has
	// no ping: a connection that went silent while it was idle must not be there for
	// long, because the request that takes it hangs.
	idleTimeout = 15 * time.Second

	// keepAliveInterval makes the kernel close a connection to a host that is gone after
	// 42 seconds: 15 until the first of 9 probes.
	keepAliveInterval = 3 * time.Second

	// idleConnections is how many idle connections to the workspace are kept. Caddy's
	// default of 32 closes and reopens connections as soon as there are more concurrent
	// clients than that.
	idleConnections = 256

	// bufferSize is four times the transport's default, which is faster for ordinary API
	// responses.
	bufferSize = 16 << 10
)

// Transport is Caddy's transport `http` with other defaults, which suit a workspace. A
// connection that goes silent is replaced: HTTP/2 connections are pinged after 10s
// without a frame and closed 10s later, connections that are idle for 15s are closed,
// and on Linux so are those whose bytes are not acknowledged for 30s. The other defaults:
// `dial_timeout` and the TLS handshake `10s`, `response_header_timeout` `15m`,
// `expect_continue_timeout` `1s`, so that `Expect: 100-continue` is the workspace's to answer, 256 idle
// connections, buffers of 16 KiB, and no `Accept-Encoding` of its own. `databricks_gateway`
// uses it; beside `databricks_scopes` write `transport databricks` in `reverse_proxy`.
//
// It also keeps clients at the gateway, see `discovery`.
type Transport struct {
	reverseproxy.HTTPTransport

	// What to do with the workspace's own address in responses: `rewrite` puts the address
	// that the client used in its place, in the discovery documents below `/.well-known/`
	// and `/oidc/…/.well-known/`, in `Location` and `Content-Location`, and in the
	// `resource_metadata` of `WWW-Authenticate`. `pass` leaves everything as it is, which
	// leads OAuth clients around the gateway. Default: `rewrite`.
	Discovery string `json:"discovery,omitempty"`

	// After how long without a frame an HTTP/2 connection is pinged. Default: `10s`.
	PingAfter caddy.Duration `json:"ping_after,omitempty"`

	// How long the answer to a ping may take before the connection is closed. Default:
	// `10s`.
	PingTimeout caddy.Duration `json:"ping_timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport." + Module,
		New: func() caddy.Module { return new(Transport) },
	}
}

// Provision sets the defaults and prepares the transport.
func (t *Transport) Provision(ctx caddy.Context) error {
	if err := CheckDiscovery(t.Discovery); err != nil {
		return err
	}
	t.DialTimeout = cmp.Or(t.DialTimeout, caddy.Duration(dialTimeout))
	t.ResponseHeaderTimeout = cmp.Or(t.ResponseHeaderTimeout, caddy.Duration(responseHeaderTimeout))
	t.ExpectContinueTimeout = cmp.Or(t.ExpectContinueTimeout, caddy.Duration(passthrough.ContinueTimeout))
	t.PingAfter = cmp.Or(t.PingAfter, caddy.Duration(pingAfter))
	t.PingTimeout = cmp.Or(t.PingTimeout, caddy.Duration(pingTimeout))
	t.ReadBufferSize = cmp.Or(t.ReadBufferSize, bufferSize)
	t.WriteBufferSize = cmp.Or(t.WriteBufferSize, bufferSize)
	if t.KeepAlive == nil {
		t.KeepAlive = new(reverseproxy.KeepAlive)
	}
	t.KeepAlive.IdleConnTimeout = cmp.Or(t.KeepAlive.IdleConnTimeout, caddy.Duration(idleTimeout))
	t.KeepAlive.ProbeInterval = cmp.Or(t.KeepAlive.ProbeInterval, caddy.Duration(keepAliveInterval))
	t.KeepAlive.MaxIdleConnsPerHost = cmp.Or(t.KeepAlive.MaxIdleConnsPerHost, idleConnections)
	if t.TLS != nil {
		t.TLS.HandshakeTimeout = cmp.Or(t.TLS.HandshakeTimeout, caddy.Duration(tlsHandshakeTimeout))
	}
	if t.Compression == nil {
		// The client's own Accept-Encoding passes through either way; this only keeps the
		// proxy from unpacking what the client did not ask for.
		t.Compression = new(bool)
	}
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	t.Transport.HTTP2 = &http.HTTP2Config{
		SendPingTimeout: time.Duration(t.PingAfter),
		PingTimeout:     time.Duration(t.PingTimeout),
	}
	dial := t.Transport.DialContext
	t.Transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			upstream.BoundUnacknowledged(conn)
		}
		return conn, err
	}
	return nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	document := t.Discovery != Pass && isDocument(r)
	if document {
		r = askPlainly(r)
	}
	response, err := t.HTTPTransport.RoundTrip(r)
	if err != nil {
		return nil, upstream.Quiet(r, err)
	}
	if response.StatusCode < http.StatusContinue {
		_ = response.Body.Close()
		return nil, upstream.Quiet(r, upstream.ErrMalformed) // net/http's server panics on such a status
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		response.Body = &body{response.Body, r}
		if t.Discovery != Pass {
			stay(r, response, document)
		}
		return response, nil
	}
	// Caddy drops such a response, and the client would see an empty 200.
	if asked := r.Header.Get("Upgrade"); asked == "" || !strings.EqualFold(asked, response.Header.Get("Upgrade")) {
		_ = response.Body.Close()
		return nil, upstream.Quiet(r, upstream.ErrUnaskedUpgrade)
	}
	return response, nil
}

// body is the body of a response, which remembers why it broke off: the proxy does
// not say.
type body struct {
	io.ReadCloser
	request *http.Request
}

func (b *body) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return io.EOF itself
		err = upstream.Quiet(b.request, err)
		caddyhttp.SetVar(b.request.Context(), brokenVar, err)
	}
	return n, err
}

const brokenVar = "databricks_scopes.response_broken"

// Broken returns why the body of the response to a request broke off, nil if it did not.
func Broken(request context.Context) error {
	err, _ := caddyhttp.GetVar(request, brokenVar).(error)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner                                = (*Transport)(nil)
	_ caddy.CleanerUpper                               = (*Transport)(nil)
	_ http.RoundTripper                                = (*Transport)(nil)
	_ reverseproxy.TLSTransport                        = (*Transport)(nil)
	_ reverseproxy.H2CTransport                        = (*Transport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*Transport)(nil)
	_ reverseproxy.ProxyProtocolTransport              = (*Transport)(nil)
)
