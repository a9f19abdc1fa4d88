package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/policy"
)

// unmarshal sets up the policy from Caddyfile tokens.
func (p *Policy) unmarshal(d *caddyfile.Dispenser) error {
	line := d.Token()
	if err := oneArg(d, &p.Name); err != nil {
		return err
	}
	if err := eachOption(d, p.options(d), "match", "allow", "deny"); err != nil {
		return err
	}
	if _, err := p.compile(); err != nil {
		return fmt.Errorf("%w, at %s:%d", err, line.File, line.Line)
	}
	return nil
}

func (p *Policy) options(d *caddyfile.Dispenser) options {
	return options{
		"match": func() error {
			args := d.RemainingArgs()
			if len(args) < 2 {
				return d.Errf("match needs a kind and a value, such as match owner etl@example.com; kinds are %s", strings.Join(policy.Kinds, ", "))
			}
			if !slices.Contains(policy.Kinds, args[0]) {
				if nearest, ok := didyoumean.Nearest(args[0], policy.Kinds); ok {
					return d.Errf("unknown match %q; did you mean %s?", args[0], nearest)
				}
			}
			_, err := policy.NewCondition(args[0], args[1:]...)
			p.Match = append(p.Match, Match{args[0], args[1:]})
			return at(d, err)
		},
		"scopes": func() error {
			if p.Scopes = d.RemainingArgs(); len(p.Scopes) == 0 {
				return d.Err("scopes needs at least one scope")
			}
			_, _, err := policy.ParseCeiling(p.Scopes)
			return at(d, err)
		},
		"access": func() error {
			if err := oneArg(d, &p.Access); err != nil {
				return err
			}
			return at(d, checkAccess(p.Access))
		},
		"allow":          func() error { return routeArgs(d, &p.Allow) },
		"deny":           func() error { return routeArgs(d, &p.Deny) },
		"max_lifetime":   func() error { return duration(d, &p.MaxLifetime, maxPolicyLifetime) },
		"require_expiry": func() error { return flag(d, &p.RequireExpiry) },
		"mode":           func() error { return p.unmarshalMode(d) },
	}
}

// unmarshalMode reads enforce, observe or enforce <n>%.
func (p *Policy) unmarshalMode(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("mode is enforce, observe or enforce <n>%")
	}
	p.Mode = args[0]
	if err := oneOf("mode", p.Mode, modes); err != nil {
		return at(d, err)
	}
	if len(args) == 2 {
		number, ok := strings.CutSuffix(args[1], "%")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 || n > 99 || p.Mode != modeEnforce {
			return d.Errf("a share of tokens is written enforce <n>%%, with n from 1 to 99, not %s %s", args[0], args[1])
		}
		p.Percent = n
	}
	return nil
}

func routeArgs(d *caddyfile.Dispenser, to *[]Route) error {
	name := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("%s needs a method, or *, and a path, such as %s GET /api/2.1/jobs/list", name, name)
	}
	if _, err := policy.ParseRoute(args[0], args[1]); err != nil {
		return at(d, err)
	}
	*to = append(*to, Route{args[0], args[1]})
	return nil
}
