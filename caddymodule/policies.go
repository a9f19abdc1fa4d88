package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// Policy narrows what some tokens may do. Policies never widen: a token needs the
// scope of an operation all the same. All policies that match a token hold
// together, and what one denies is denied.
type Policy struct {
	// Name of the policy, as it appears in refusals and records.
	Name string `json:"name"`

	// Which tokens the policy is about: those that fit every one of these. Default:
	// all tokens.
	Match []Match `json:"match,omitempty"`

	// The only scopes whose operations are permitted; `scim/v2/Me` always is.
	// Default: all, unless `allow` is set.
	Scopes []string `json:"scopes,omitempty"`

	// Routes that are permitted beside those of `scopes`.
	Allow []Route `json:"allow,omitempty"`

	// Routes that are refused whatever else permits them, in any letter case and
	// in any version of the API.
	Deny []Route `json:"deny,omitempty"`

	// The longest time between a token's creation and its expiry. A token that
	// never expires is over every limit. Default: any.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// Refuse tokens that never expire.
	RequireExpiry bool `json:"require_expiry,omitempty"`

	// `enforce` refuses; `observe` records what would be refused and lets it pass.
	// Default: `enforce`.
	Mode string `json:"mode,omitempty"`

	// Enforce for this percentage of tokens, from 1 to 99, and observe for the
	// others. A token stays on its side, and joins as the percentage grows.
	// Default: all tokens.
	Percent int `json:"percent,omitempty"`
}

// Match is a condition on a token.
type Match struct {
	// What to look at: `owner` (user name, application id or numeric id), `creator`
	// (the same of who minted it), `token` (its id), `comment` or `scope`.
	Kind string `json:"kind"`

	// Values of which one must fit. `*` stands for any text and `?` for any one
	// character; letter case does not count.
	Values []string `json:"values"`
}

// Route is a method and a path template, such as `GET` and
// `/api/2.1/unity-catalog/catalogs/{name}`.
type Route struct {
	// An HTTP method, or `*` for all.
	Method string `json:"method"`

	// Path template, in the grammar of the catalogue: `{name}` is one segment, a
	// last `*` or `{name...}` the rest. The API version matches any.
	Path string `json:"path"`
}

// maxPolicyLifetime is beyond any that Databricks grants.
const maxPolicyLifetime = 10 * 365 * 24 * time.Hour

// compilePolicies translates the configuration, and says what is wrong with it.
func compilePolicies(configured []Policy) ([]policy.Policy, error) {
	var compiled []policy.Policy
	names := make(map[string]bool)
	for i := range configured {
		p, err := configured[i].compile()
		if err != nil {
			return nil, err
		}
		if names[p.Name] {
			return nil, fmt.Errorf("there are two policies called %s; rename one", p.Name)
		}
		names[p.Name] = true
		compiled = append(compiled, p)
	}
	return compiled, nil
}

func (p *Policy) compile() (policy.Policy, error) {
	fail := func(err error) (policy.Policy, error) {
		return policy.Policy{}, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	out := policy.Policy{
		Name:          p.Name,
		Ceiling:       p.Scopes,
		MaxLifetime:   time.Duration(p.MaxLifetime),
		RequireExpiry: p.RequireExpiry,
		Observe:       p.Mode == modeObserve,
		Percent:       p.Percent,
	}
	if err := errors.Join(
		oneOf("mode", p.Mode, modes),
		betweenDurations("max_lifetime", p.MaxLifetime, maxPolicyLifetime),
		between("percent", p.Percent, 99),
	); err != nil {
		return fail(err)
	}
	if p.Percent > 0 && out.Observe {
		return fail(errors.New("a percentage is of tokens to enforce for; write mode enforce with it"))
	}
	for _, m := range p.Match {
		condition, err := policy.NewCondition(m.Kind, m.Values...)
		if err != nil {
			return fail(err)
		}
		out.Match = append(out.Match, condition)
	}
	for _, scope := range p.Scopes {
		if err := checkScope(scope); err != nil {
			return fail(err)
		}
	}
	for _, list := range []struct {
		from []Route
		to   *[]policy.Route
	}{{p.Allow, &out.Allow}, {p.Deny, &out.Deny}} {
		for _, r := range list.from {
			route, err := policy.ParseRoute(r.Method, r.Path)
			if err != nil {
				return fail(err)
			}
			*list.to = append(*list.to, route)
		}
	}
	return out, out.Validate()
}

// checkScope refuses a name that is most likely misspelt. One that is like no
// known scope may be one that Databricks has not published.
func checkScope(name string) error {
	if slices.Contains(scopes.KnownScopes(), name) {
		return nil
	}
	if nearest, ok := didyoumean.Nearest(name, scopes.KnownScopes()); ok {
		return fmt.Errorf("there is no scope %s; did you mean %s?", name, nearest)
	}
	return nil
}

// warnOfPolicies logs what is not wrong but most likely not meant.
func (h *Handler) warnOfPolicies() {
	known := scopes.KnownScopes()
	operations := h.judge.Catalog.Operations()
	for i := range h.judge.Rules.Policies {
		p := &h.judge.Rules.Policies[i]
		for _, scope := range p.Ceiling {
			if !slices.Contains(known, scope) {
				h.logger.Warn("a policy names a scope that is not known here", zap.String("policy", p.Name), zap.String("scope", scope))
			}
		}
		for _, route := range slices.Concat(p.Allow, p.Deny) {
			if !slices.ContainsFunc(operations, func(o scopes.Operation) bool { return route.Covers(&o) }) {
				h.logger.Warn("a policy names a route that no operation of the catalogue has", zap.String("policy", p.Name), zap.Stringer("route", route))
			}
		}
	}
}

// unmarshal sets up the policy from Caddyfile tokens.
func (p *Policy) unmarshal(d *caddyfile.Dispenser) error {
	line := d.Token()
	if err := oneArg(d, &p.Name); err != nil {
		return err
	}
	err := eachOption(d, map[string]func() error{
		"match": func() error {
			args := d.RemainingArgs()
			if len(args) < 2 {
				return d.Errf("match needs what to look at and a value, such as match owner etl@example.com; one can look at %s", strings.Join(policy.Kinds, ", "))
			}
			if !slices.Contains(policy.Kinds, args[0]) {
				if nearest, ok := didyoumean.Nearest(args[0], policy.Kinds); ok {
					return d.Errf("there is no match %s; did you mean %s?", args[0], nearest)
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
			for _, scope := range p.Scopes {
				if err := checkScope(scope); err != nil {
					return at(d, err)
				}
			}
			return nil
		},
		"allow":        func() error { return routeArgs(d, &p.Allow) },
		"deny":         func() error { return routeArgs(d, &p.Deny) },
		"max_lifetime": func() error { return duration(d, &p.MaxLifetime, maxPolicyLifetime) },
		"require_expiry": func() error {
			if d.NextArg() {
				return d.Errf("require_expiry takes no value; %q is one too many", d.Val())
			}
			p.RequireExpiry = true
			return nil
		},
		"mode": func() error { return p.unmarshalMode(d) },
	}, "match", "allow", "deny")
	if err != nil {
		return err
	}
	if _, err := p.compile(); err != nil {
		return fmt.Errorf("%w, at %s:%d", err, line.File, line.Line)
	}
	return nil
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
