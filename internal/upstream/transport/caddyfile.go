package transport

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the transport from Caddyfile tokens. It takes every option of
// Caddy's transport http, and:
//
//	transport databricks {
//	    discovery rewrite|pass
//	}
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	own, others := split(d, "discovery")
	for own.Next() {
		if t.Discovery != "" {
			return own.Err("discovery is set twice; keep one")
		}
		if !own.NextArg() {
			return own.Errf("discovery needs a value: %s or %s", Rewrite, Pass)
		}
		if err := CheckDiscovery(own.Val()); err != nil || own.Val() == "" {
			return own.Errf("discovery must be %s or %s, not %q", Rewrite, Pass, own.Val())
		}
		t.Discovery = own.Val()
		if own.NextArg() {
			return own.Errf("discovery takes one value; %q is one too many", own.Val())
		}
	}
	return t.HTTPTransport.UnmarshalCaddyfile(others)
}

// split takes the lines of an option out of the block of a directive.
func split(d *caddyfile.Dispenser, option string) (taken, left *caddyfile.Dispenser) {
	var own, others []caddyfile.Token
	var last caddyfile.Token
	depth, within := 0, false
	for d.Next() {
		token := d.Token()
		switch token.Text {
		case "{":
			depth++
		case "}":
			depth--
		}
		if token.Line != last.Line || token.File != last.File {
			within = depth == 1 && token.Text == option
		}
		last = token
		if within {
			own = append(own, token)
		} else {
			others = append(others, token)
		}
	}
	return caddyfile.NewDispenser(own), caddyfile.NewDispenser(others)
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Transport)(nil)
