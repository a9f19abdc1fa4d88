package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/workspaceurl"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("databricks_scopes", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("databricks_scopes", httpcaddyfile.After, "forward_auth")
}

// parseCaddyfile sets up the handler from the directive's tokens.
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, checkStated(h, handler)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_scopes [<matcher>] {
//	    workspace       <name>|<url>
//	    admin {
//	        profile       <name>
//	        client_id     <id>
//	        client_secret <placeholder>
//	        token         <placeholder>
//	        authority     <url>... { ... }
//	    }
//	    mode            enforce|observe
//	    cache {
//	        size          <n>
//	        ttl           <duration>
//	        negative_ttl  <duration>
//	        max_stale     <duration>
//	    }
//	    lookup {
//	        timeout       <duration>
//	        rate          <n>
//	        concurrency   <n>
//	    }
//	    fleet           <redis-url> { ... }
//	    insecure_http
//	    sync            <duration>|off
//	    unscoped_tokens allow|deny
//	    oauth           deny|pass|verify
//	    cors            <origin...>|*
//	    routes          [<file>] [learned]
//	    map             <file> {
//	        key <base64>|<file>...
//	    }
//	    unknown_expiry  deny|allow
//	    expiry_warning  <duration>
//	    usage           <duration>|off
//	    findings        [off] { ... }
//	    audit {
//	        output        stdout | stderr | file <path> [{ ... }] | ...
//	        format        json|ocsf
//	        log           on|off
//	        redact        path
//	        comment       hash|plain|off
//	        open_after    <duration>
//	        queue         <n>
//	        when_full     drop | block <duration> | refuse
//	    }
//	    policy <name> {
//	        match owner|creator|token|comment|scope <value...>
//	        scopes         <scope>[:read]...
//	        access         read
//	        allow          <method> <path>
//	        deny           <method> <path>
//	        max_lifetime   <duration>
//	        require_expiry
//	        mode           enforce [<n>%] | observe
//	    }
//	}
//
// All subdirectives are optional: the workspace is DATABRICKS_HOST then, and the
// admin credential comes from the Databricks SDK's unified authentication.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q: databricks_scopes takes its settings in a block; for a proxy to a workspace use databricks_gateway <workspace-url>", d.Val())
	}
	h.lines, err = readOptions(d, h.options(d), "policy")
	return err
}

// options are those of databricks_scopes.
func (h *Handler) options(d *caddyfile.Dispenser) options {
	all := options{
		"workspace": func() error {
			if err := oneArg(d, &h.Workspace); err != nil {
				return err
			}
			if strings.Contains(h.Workspace, "{") {
				return nil // known when the configuration is loaded
			}
			_, err := workspaceurl.Parse(h.Workspace)
			return at(d, err)
		},
		"mode":            func() error { return choice(d, &h.Mode, modes) },
		"unscoped_tokens": func() error { return choice(d, &h.UnscopedTokens, unscoped) },
		"oauth":           func() error { return choice(d, &h.OAuth, oauths) },
		"cors": func() error {
			if h.CORS = d.RemainingArgs(); len(h.CORS) == 0 {
				return d.Err("cors needs the origins of web pages, such as https://app.example.com or http://localhost:3000")
			}
			return at(d, checkOrigins(h.CORS))
		},
		"audit": func() error { h.Audit = new(Audit); return eachOption(d, h.Audit.options(d)) },
		"policy": func() error {
			var p Policy
			if err := p.unmarshal(d); err != nil {
				return err
			}
			if slices.ContainsFunc(h.Policies, func(other Policy) bool { return other.Name == p.Name }) {
				return d.Errf("two policies are named %s; rename one", p.Name)
			}
			h.Policies = append(h.Policies, p)
			return nil
		},
	}
	maps.Copy(all, h.WorkspaceOptions.options(d))
	return all
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
