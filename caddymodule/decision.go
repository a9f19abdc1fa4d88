package caddymodule

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/authcheck"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/fleet/authority"
	"github.com/scopegate/scopegate/internal/policy"
)

func init() {
	caddy.RegisterModule(new(Decision))
}

// Decision answers proxies that send requests to the workspace themselves, and ask before
// they do: nginx (`auth_request`), Traefik (`ForwardAuth`), Caddy (`forward_auth`) and Envoy
// (`ext_authz`). The answer is 200 if the request may pass, and otherwise what
// `databricks_scopes` would answer.
//
// What is judged must be what is sent: set up the proxy as docs/proxies.md says. A check that
// does not describe exactly one request is refused.
//
// It answers every request that reaches it, with the path `/decide` unless `dialect` is set.
type Decision struct {
	Handler

	// How proxies describe requests: `nginx` (X-Original-Method and X-Original-URI),
	// `forwarded` (X-Forwarded-Method and X-Forwarded-Uri, as Traefik and Caddy do), or
	// `envoy` (the check is the request itself). Default: nginx or forwarded, whichever the
	// headers of a check to `/decide` are of.
	Dialect string `json:"dialect,omitempty"`

	// With dialect envoy, which needs it: the `path_prefix` of the filter, such as `/envoy`.
	Prefix string `json:"prefix,omitempty"`

	// Addresses and networks that proxies ask from, in CIDR notation; what others ask is
	// refused. In a Caddyfile, `private_ranges` stands for all private networks. Tokens are in
	// what proxies send: use TLS between machines. Default: this machine.
	TrustedProxies []string `json:"trusted_proxies,omitempty"`

	// Lets in proxies with a client certificate that the server verified (`client_auth`).
	ClientCertificate *EdgeCertificates `json:"client_certificate,omitempty"`

	// Answers Envoy's `ext_authz` over gRPC too, on an address of its own.
	GRPC *DecisionGRPC `json:"grpc,omitempty"`

	trust authcheck.Trust
	// The log was told of them.
	stranger, misconfigured atomic.Bool
	listening               *checkListener // nil if it is not
}

// CaddyModule returns the Caddy module information.
func (*Decision) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_decision",
		New: func() caddy.Module { return new(Decision) },
	}
}

// Provision sets up the handler. It uses neither the network nor the admin credential.
func (d *Decision) Provision(ctx caddy.Context) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if err := d.provision(ctx, d); err != nil {
		return err
	}
	proxies, err := parsePrefixes(d.TrustedProxies)
	if err != nil {
		return err
	}
	d.trust = authcheck.Trust{Proxies: proxies, Now: d.app.now}
	if c := d.ClientCertificate; c != nil {
		d.trust.Certificates = &authority.Certificates{Names: c.Names}
	}
	if d.GRPC != nil && slices.ContainsFunc(d.app.decisions, func(other *Decision) bool { return other.GRPC != nil && other.GRPC.address() == d.GRPC.address() }) {
		return fmt.Errorf("two databricks_decision handlers listen on grpc %s; give each an address of its own", d.GRPC.Listen)
	}
	d.app.decisions = append(d.app.decisions, d)
	return nil
}

// Validate checks every value, and says which one is wrong and what would be right.
func (d *Decision) Validate() error {
	_, badProxies := parsePrefixes(d.TrustedProxies)
	var badPrefix error
	switch {
	case d.Prefix == "" && d.Dialect == string(authcheck.Envoy):
		badPrefix = errors.New("dialect envoy needs a prefix, the same as path_prefix of ext_authz, such as /envoy: without one, a path_prefix would be judged as a part of the path")
	case d.Prefix == "":
	case d.Dialect != string(authcheck.Envoy):
		badPrefix = errors.New("prefix is for dialect envoy; remove it, or set the dialect")
	case !strings.HasPrefix(d.Prefix, "/") || strings.HasSuffix(d.Prefix, "/") || strings.ContainsAny(d.Prefix, "?#% "):
		badPrefix = fmt.Errorf("prefix must begin with a slash, and not end with one, such as /envoy, not %q", d.Prefix)
	}
	return errors.Join(d.Handler.Validate(), d.GRPC.validate(), oneOf("dialect", d.Dialect, authcheck.Dialects()), badPrefix, badProxies, d.ClientCertificate.validate())
}

// parsePrefixes parses addresses and networks.
func parsePrefixes(texts []string) (prefixes []netip.Prefix, err error) {
	for _, text := range texts {
		prefix, err := caddyhttp.CIDRExpressionToPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies takes addresses and networks such as 10.0.0.0/8, and private_ranges, not %q", text)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// ServeHTTP tells a proxy whether a request may pass.
func (d *Decision) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	caddyserver.Judged(r)
	asked, problem := d.describe(r)
	authcheck.Write(w, asked, d.decide(asked.Question(problem, d.distrust(r.RemoteAddr, r.TLS), "")))
	return nil
}

// decide answers a question. The log has the first one that the configuration of proxy or
// service is to blame for.
func (d *Decision) decide(q exchange.Question) exchange.Answer {
	ours := q.Reason == policy.MisdirectedRequest || q.Reason == policy.GatewayMisconfigured && !q.Distrusted
	if ours && d.misconfigured.CompareAndSwap(false, true) {
		d.logger.Error("a proxy asks in a way that cannot be answered, and must refuse its requests; more of these are only recorded", zap.String("problem", q.Problem))
	}
	return d.enforcer.Decide(q)
}

// describe returns the request that a check asks about.
func (d *Decision) describe(check *http.Request) (authcheck.Description, *authcheck.Problem) {
	return authcheck.Describe(check, authcheck.Dialect(orDefault(d.Dialect, authcheck.Dialects())), d.Prefix)
}

// ServeMisdirected refuses a check that is for another host or path than this handler's. Unlike
// that of a handler in the data path, the answer is a refusal by its status for all: a gRPC
// client's own form is a 200, and error routes may answer one, which lets requests pass.
func (d *Decision) ServeMisdirected(w http.ResponseWriter, r *http.Request, _ []string) error {
	defer caddyserver.Handled(r) // for Caddy's access log
	asked, _ := d.describe(r)
	authcheck.Write(w, asked, d.decide(exchange.Question{
		Request: r, Distrusted: true, Reason: policy.MisdirectedRequest,
		Problem: "The gateway was asked for a host or at a path that its databricks_decision does not answer; write its site's address without a host, and the directive without a matcher.",
	}))
	return nil
}

// AnswersChecks implements [caddyserver.Refuser].
func (d *Decision) AnswersChecks() bool { return true }

// distrust says what to do to be believed, to one that is not. The log has the first one.
func (d *Decision) distrust(address string, state *tls.ConnectionState) string {
	problem := d.trust.Problem(address, state)
	if problem != "" && d.stranger.CompareAndSwap(false, true) {
		d.logger.Error("what was asked from this address is not believed, and refused; if it is your proxy, add its address to trusted_proxies; more of these are only recorded",
			zap.String("address", address))
	}
	return problem
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Decision)(nil)
	_ caddy.Validator             = (*Decision)(nil)
	_ caddy.CleanerUpper          = (*Decision)(nil)
	_ caddyhttp.MiddlewareHandler = (*Decision)(nil)
	_ caddyserver.Refuser         = (*Decision)(nil)
)
