package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("databricks_authority", parseAuthority)
	httpcaddyfile.RegisterDirectiveOrder("databricks_authority", httpcaddyfile.Before, "respond")
}

// unmarshal reads the option fleet. Syntax:
//
//	fleet <redis-url> {
//	    key      <placeholder> [<placeholder>]
//	    name     <gateway>
//	    username <name>
//	    password <placeholder>
//	    sentinel <master>
//	    tls {
//	        trust              <file>
//	        client_certificate <certificate> <key>
//	        server_name        <name>
//	    }
//	}
func (f *Fleet) unmarshal(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() != 1 {
		return d.Err("fleet needs one URL of a Redis or Valkey server, such as rediss://redis.example.com:6379/0, and a block with a key")
	}
	d.NextArg()
	f.URL = d.Val()
	if err := eachOption(d, f.options(d)); err != nil {
		return err
	}
	return at(d, f.validate())
}

func (f *Fleet) options(d *caddyfile.Dispenser) options {
	return options{
		"key":      func() error { return secretArgs(d, "fleet", &f.Keys, maxFleetKeys) },
		"name":     func() error { return oneArg(d, &f.Name) },
		"username": func() error { return oneArg(d, &f.Username) },
		"password": func() error { return secretArg(d, "fleet", &f.Password) },
		"sentinel": func() error { return oneArg(d, &f.Sentinel) },
		"tls":      func() error { f.TLS = new(FleetTLS); return eachOption(d, f.TLS.options(d)) },
	}
}

func (t *FleetTLS) options(d *caddyfile.Dispenser) options {
	return options{
		"trust":              func() error { return oneArg(d, &t.Trust) },
		"client_certificate": func() error { return certificateArgs(d, &t.ClientCertificate, &t.ClientKey) },
		"server_name":        func() error { return oneArg(d, &t.ServerName) },
	}
}

// secretArgs is secretArg for one or more values.
func secretArgs(d *caddyfile.Dispenser, block string, to *[]string, limit int) error {
	name := d.Val()
	n := d.CountRemainingArgs()
	switch {
	case n == 0:
		return d.Errf("%s needs a placeholder such as {file./run/secrets/%s}", name, name)
	case n > limit:
		return d.Errf("%s takes at most %d placeholders, not %d", name, limit, n)
	}
	for d.NextArg() {
		value := d.Val()
		if err := at(d, neededPlaceholder(block+" "+name, value)); err != nil {
			return err
		}
		*to = append(*to, value)
	}
	return nil
}

// certificateArgs reads the files of a certificate and its key.
func certificateArgs(d *caddyfile.Dispenser, certificate, key *string) error {
	name := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return d.Errf("%s needs two PEM files, the certificate and its key", name)
	}
	*certificate, *key = args[0], args[1]
	return nil
}

// unmarshal reads the option authority of admin. Syntax:
//
//	authority <url>... {
//	    token              <placeholder>
//	    client_certificate <certificate> <key>
//	    trust              <file>
//	    name               <edge>
//	}
func (a *AdminAuthority) unmarshal(d *caddyfile.Dispenser) error {
	if a.URLs = d.RemainingArgs(); len(a.URLs) == 0 {
		return d.Err("authority needs the URL of an authority, such as https://authority.example.com:9443, and a block with a token or a client_certificate")
	}
	if err := eachOption(d, a.options(d)); err != nil {
		return err
	}
	return at(d, a.validate())
}

func (a *AdminAuthority) options(d *caddyfile.Dispenser) options {
	return options{
		"token":              func() error { return secretArg(d, "admin authority", &a.Token) },
		"client_certificate": func() error { return certificateArgs(d, &a.ClientCertificate, &a.ClientKey) },
		"trust":              func() error { return oneArg(d, &a.Trust) },
		"name":               func() error { return oneArg(d, &a.Name) },
	}
}

// parseAuthority sets up the handler from the directive's tokens.
func parseAuthority(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Authority)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	app, err := globalApp(h)
	if err != nil {
		return nil, err
	}
	if _, err := app.url(handler.Workspace); err != nil {
		return nil, at(h.Dispenser, err)
	}
	if w := app.workspaceOf(handler.Workspace); w != nil && w.Admin.isEdge() {
		return nil, h.Err("an edge cannot be an authority: this workspace has admin authority, and so no admin credential; give it one, or remove databricks_authority")
	}
	return handler, nil
}

// workspaceOf returns the workspace that a handler names, or nil if only its URL is known.
func (a *App) workspaceOf(name string) *Workspace {
	if w, ok := a.Workspaces[name]; ok || name != "" || len(a.Workspaces) != 1 {
		return w
	}
	for _, only := range a.Workspaces {
		return only
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_authority [<matcher>] {
//	    workspace          <name>|<url>
//	    token              <placeholder...>
//	    client_certificate [<name...>]
//	    kubernetes {
//	        issuer          <url>
//	        audience        <audience>
//	        jwks            <url>|<file>
//	        trust           <file>
//	        service_account <namespace>/<name>...
//	    }
//	    limits {
//	        rate    <n>
//	        unknown <n>
//	        edges   <n>
//	    }
//	}
//
// One of token, client_certificate and kubernetes is needed. token, client_certificate and
// service_account may be repeated.
func (a *Authority) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	line := *d
	if err := eachOption(d, a.options(d), "token", "client_certificate"); err != nil {
		return err
	}
	return at(&line, a.Validate())
}

func (a *Authority) options(d *caddyfile.Dispenser) options {
	return options{
		"workspace": func() error { return oneArg(d, &a.Workspace) },
		"token":     func() error { return secretArgs(d, "databricks_authority", &a.Tokens, maxEdgeTokens) },
		"client_certificate": func() error {
			names := d.RemainingArgs()
			if a.ClientCertificate == nil {
				a.ClientCertificate = new(EdgeCertificates)
			} else if len(names) == 0 || len(a.ClientCertificate.Names) == 0 {
				return d.Err("client_certificate without names lets in every verified certificate, so it stands alone; keep one line")
			}
			a.ClientCertificate.Names = append(a.ClientCertificate.Names, names...)
			return nil
		},
		"kubernetes": func() error {
			a.Kubernetes = new(EdgeServiceAccounts)
			return eachOption(d, a.Kubernetes.options(d), "service_account")
		},
		"limits": func() error { a.Limits = new(EdgeLimits); return eachOption(d, a.Limits.options(d)) },
	}
}

func (k *EdgeServiceAccounts) options(d *caddyfile.Dispenser) options {
	return options{
		"issuer":   func() error { return oneArg(d, &k.Issuer) },
		"audience": func() error { return oneArg(d, &k.Audience) },
		"jwks":     func() error { return oneArg(d, &k.JWKS) },
		"trust":    func() error { return oneArg(d, &k.Trust) },
		"service_account": func() error {
			accounts := d.RemainingArgs()
			if len(accounts) == 0 {
				return d.Err("service_account needs the service accounts of edges, as <namespace>/<name>")
			}
			k.ServiceAccounts = append(k.ServiceAccounts, accounts...)
			return nil
		},
	}
}

func (l *EdgeLimits) options(d *caddyfile.Dispenser) options {
	return options{
		"rate":    func() error { return positive(d, &l.Rate, maxEdgeRate) },
		"unknown": func() error { return positive(d, &l.Unknown, maxEdgeRate) },
		"edges":   func() error { return positive(d, &l.Edges, maxEdges) },
	}
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Authority)(nil)
