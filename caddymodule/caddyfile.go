package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("databricks_scopes", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("databricks_scopes", httpcaddyfile.After, "forward_auth")
}

// parseCaddyfile sets up the handler from the directive's tokens.
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	err := handler.UnmarshalCaddyfile(h.Dispenser)
	return handler, err
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_scopes [<matcher>] {
//	    workspace       <url>
//	    admin {
//	        profile       <name>
//	        client_id     <id>
//	        client_secret <placeholder>
//	        token         <placeholder>
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
//	    sync            <duration>|off
//	    unscoped_tokens allow|deny
//	    oauth           deny|pass|verify
//	    routes          <file>
//	    expiry_warning  <duration>
//	    usage           <duration>|off
//	    audit {
//	        output        stdout | stderr | file <path> [{ ... }] | ...
//	        log           on|off
//	        redact        path
//	        comment       hash|plain|off
//	        queue         <n>
//	        when_full     drop | block <duration> | refuse
//	    }
//	    policy <name> {
//	        match owner|creator|token|comment|scope <value...>
//	        scopes         <scope...>
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
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q: databricks_scopes takes its settings in a block; for a proxy to a workspace use databricks_gateway <workspace-url>", d.Val())
	}
	return h.unmarshalBlock(d)
}

// unmarshalBlock reads the block of the directive that the dispenser stands on.
func (h *Handler) unmarshalBlock(d *caddyfile.Dispenser) error {
	return eachOption(d, map[string]func() error{
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
		"admin": func() error {
			h.Admin = new(Admin)
			return h.Admin.unmarshal(d)
		},
		"mode":   func() error { return choice(d, &h.Mode, modes) },
		"cache":  func() error { h.Cache = new(Cache); return h.Cache.unmarshal(d) },
		"lookup": func() error { h.Lookup = new(Lookup); return h.Lookup.unmarshal(d) },
		"sync":   func() error { return unmarshalInterval(d, &h.Sync, 0, h.validateSync) },
		"unscoped_tokens": func() error {
			return choice(d, &h.UnscopedTokens, unscoped)
		},
		"oauth":  func() error { return choice(d, &h.OAuth, oauths) },
		"routes": func() error { return oneArg(d, &h.Routes) },
		"expiry_warning": func() error {
			return duration(d, &h.ExpiryWarning, maxExpiryWarning)
		},
		"usage": func() error { return unmarshalInterval(d, &h.Usage, usageOff, h.validateUsage) },
		"audit": func() error { h.Audit = new(Audit); return h.Audit.unmarshal(d) },
		"policy": func() error {
			var p Policy
			if err := p.unmarshal(d); err != nil {
				return err
			}
			if slices.ContainsFunc(h.Policies, func(other Policy) bool { return other.Name == p.Name }) {
				return d.Errf("there are two policies called %s; rename one", p.Name)
			}
			h.Policies = append(h.Policies, p)
			return nil
		},
	}, "policy")
}

func (a *Admin) unmarshal(d *caddyfile.Dispenser) error {
	line := d.Token()
	err := eachOption(d, map[string]func() error{
		"profile":   func() error { return oneArg(d, &a.Profile) },
		"client_id": func() error { return oneArg(d, &a.ClientID) },
		"client_secret": func() error {
			// Checked before any message could show the value.
			return secretArg(d, &a.ClientSecret)
		},
		"token": func() error { return secretArg(d, &a.Token) },
	})
	if err != nil {
		return err
	}
	if err := a.validate(); err != nil {
		return fmt.Errorf("%w, at %s:%d", err, line.File, line.Line)
	}
	return nil
}

func (c *Cache) unmarshal(d *caddyfile.Dispenser) error {
	return eachOption(d, map[string]func() error{
		"size":         func() error { return positive(d, &c.Size, maxCacheSize) },
		"ttl":          func() error { return duration(d, &c.TTL, maxTTL) },
		"negative_ttl": func() error { return duration(d, &c.NegativeTTL, maxTTL) },
		"max_stale": func() error {
			c.MaxStale = new(caddy.Duration)
			if onlyArg(d, "0") {
				return nil
			}
			return duration(d, c.MaxStale, maxTTL)
		},
	})
}

func (l *Lookup) unmarshal(d *caddyfile.Dispenser) error {
	return eachOption(d, map[string]func() error{
		"timeout":     func() error { return duration(d, &l.Timeout, maxTimeout) },
		"rate":        func() error { return positive(d, &l.Rate, maxRate) },
		"concurrency": func() error { return positive(d, &l.Concurrency, maxRate) },
	})
}

// eachOption reads a block in which every option may stand once, but for some
// that may stand again.
func eachOption(d *caddyfile.Dispenser, options map[string]func() error, repeatable ...string) error {
	directive := d.Val()
	if d.NextArg() {
		return d.Errf("unexpected %q: %s takes its settings in a block", d.Val(), directive)
	}
	seen := make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, ok := options[name]
		if !ok {
			return unknownOption(d, name, options)
		}
		if line, again := seen[name]; again && !slices.Contains(repeatable, name) {
			return d.Errf("%s is set twice, first in line %d; keep one", name, line)
		}
		seen[name] = d.Line()
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

func unknownOption(d *caddyfile.Dispenser, name string, options map[string]func() error) error {
	names := make([]string, 0, len(options))
	for option := range options {
		names = append(names, option)
	}
	slices.Sort(names)
	return d.Errf("unrecognized option %q; %s", name, didyoumean.Hint(name, names))
}

func oneArg(d *caddyfile.Dispenser, to *string) error {
	name := d.Val()
	if !d.NextArg() || d.Val() == "" {
		return d.Errf("%s needs a value", name)
	}
	*to = d.Val()
	if d.NextArg() {
		return d.Errf("%s takes one value; %q is one too many", name, d.Val())
	}
	return nil
}

// onlyArg reports whether one argument is left and it is that word, and reads it.
func onlyArg(d *caddyfile.Dispenser, word string) bool {
	if d.CountRemainingArgs() != 1 {
		return false
	}
	d.NextArg()
	if d.Val() == word {
		return true
	}
	d.Prev()
	return false
}

// secretArg reads a value that must be a placeholder, and never repeats it in a
// message: a secret that was written out by mistake would end in a log.
func secretArg(d *caddyfile.Dispenser, to *string) error {
	name := d.Val()
	if d.CountRemainingArgs() != 1 {
		return d.Errf("%s takes one value, a placeholder such as {file./run/secrets/%s}", name, name)
	}
	d.NextArg()
	*to = d.Val()
	return at(d, secretPlaceholder(name, *to))
}

func choice(d *caddyfile.Dispenser, to *string, choices []string) error {
	name := d.Val()
	if err := oneArg(d, to); err != nil {
		return err
	}
	if err := oneOf(name, *to, choices); err != nil {
		if nearest, ok := didyoumean.Nearest(*to, choices); ok {
			return d.Errf("%v; did you mean %s?", err, nearest)
		}
		return at(d, err)
	}
	return nil
}

func positive(d *caddyfile.Dispenser, to *int, limit int) error {
	name := d.Val()
	var value string
	if err := oneArg(d, &value); err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limit {
		return d.Errf("%s must be a whole number between 1 and %d, not %q", name, limit, value)
	}
	*to = n
	return nil
}

func duration(d *caddyfile.Dispenser, to *caddy.Duration, limit time.Duration) error {
	name := d.Val()
	var value string
	if err := oneArg(d, &value); err != nil {
		return err
	}
	parsed, err := caddy.ParseDuration(value)
	switch {
	case err != nil:
		return d.Errf("%s must be a duration such as 30s, 5m or 1d, not %q", name, value)
	case parsed <= 0 || parsed > limit:
		return d.Errf("%s must be more than 0 and at most %s, not %s", name, limit, value)
	}
	*to = caddy.Duration(parsed)
	return nil
}

// unmarshalInterval reads a duration, or off.
func unmarshalInterval(d *caddyfile.Dispenser, to *caddy.Duration, off caddy.Duration, validate func() error) error {
	if onlyArg(d, "off") {
		*to = off
		return nil
	}
	if err := duration(d, to, maxTTL); err != nil {
		return err
	}
	return at(d, validate())
}

// at adds file and line to an error.
func at(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.Errf("%v", err)
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
