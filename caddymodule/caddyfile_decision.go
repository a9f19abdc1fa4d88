package caddymodule

import (
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/authcheck"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("databricks_decision", parseDecision)
	httpcaddyfile.RegisterDirectiveOrder("databricks_decision", httpcaddyfile.Before, "respond")
}

// parseDecision sets up the handler from the directive's tokens.
func parseDecision(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Decision)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, checkStated(h, &handler.Handler)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_decision [<matcher>] {
//	    dialect            recognized|nginx|forwarded|envoy
//	    prefix             <path>
//	    trusted_proxies    <address|network|private_ranges>...
//	    client_certificate [<name>...]
//	    grpc               <address> {
//	        certificate <certificate> <key>
//	        client_ca   <file>
//	    }
//	    # any option of databricks_scopes
//	}
func (d *Decision) UnmarshalCaddyfile(tokens *caddyfile.Dispenser) (err error) {
	tokens.Next() // the directive's name
	d.lines, err = readOptions(tokens, d.options(tokens), "policy")
	if err != nil {
		return err
	}
	return at(tokens, d.Validate())
}

// options are those of databricks_decision.
func (d *Decision) options(tokens *caddyfile.Dispenser) options {
	all := options{
		"dialect": func() error { return choice(tokens, &d.Dialect, authcheck.Dialects()) },
		"prefix":  func() error { return oneArg(tokens, &d.Prefix) },
		"trusted_proxies": func() error {
			if d.TrustedProxies = tokens.RemainingArgs(); len(d.TrustedProxies) == 0 {
				return tokens.Err("trusted_proxies needs addresses or networks, such as 10.0.0.0/8")
			}
			if i := slices.Index(d.TrustedProxies, "private_ranges"); i >= 0 {
				d.TrustedProxies = slices.Replace(d.TrustedProxies, i, i+1, caddyhttp.PrivateRangesCIDR()...)
			}
			return nil
		},
		"grpc": func() error {
			d.GRPC = new(DecisionGRPC)
			return d.GRPC.unmarshal(tokens)
		},
		"client_certificate": func() error {
			d.ClientCertificate = &EdgeCertificates{Names: tokens.RemainingArgs()}
			return nil
		},
	}
	maps.Copy(all, d.Handler.options(tokens))
	return all
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Decision)(nil)
