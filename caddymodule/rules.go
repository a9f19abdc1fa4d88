package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/scopes"
)

// Rules are what the operator allows. All of them count in the hash of the rules that
// every record names, see [Rules.hash].
type Rules struct {
	// `enforce` refuses what the rules do not permit; `observe` decides and
	// records in just the same way, and lets everything pass unchanged. Default:
	// `enforce`.
	Mode string `json:"mode,omitempty"`

	// What to do with tokens that have no scopes: `allow` lets them do everything,
	// as Databricks does; `deny` treats them as holding no scope. Default:
	// `allow`.
	UnscopedTokens string `json:"unscoped_tokens,omitempty"`

	// What to do with OAuth access tokens (JWTs), which are not in Token
	// Management: `deny` refuses them; `pass` lets them through unjudged; `verify`
	// verifies them with the workspace's own keys and enforces the scopes that they
	// carry, and refuses those of other issuers. Default: `deny`.
	OAuth string `json:"oauth,omitempty"`

	// Web origins whose pages may call the workspace through the gateway, such as
	// `https://app.example.com` and `http://localhost:3000`, or `*` for all. Their CORS
	// preflights pass to the workspace unjudged, which answers them, and they can read
	// refusals. Default: none; preflights are refused.
	CORS []string `json:"cors,omitempty"`

	// Policies that narrow what tokens may do.
	Policies []Policy `json:"policies,omitempty"`
}

const (
	modeEnforce = "enforce"
	modeObserve = "observe"

	unscopedAllow = "allow"
	unscopedDeny  = "deny"
)

// Choices of the settings that have them; the first is the default.
var (
	modes    = []string{modeEnforce, modeObserve}
	unscoped = []string{unscopedAllow, unscopedDeny}
	oauths   = []string{string(judge.OAuthDeny), string(judge.OAuthPass), string(judge.OAuthVerify)}
)

func (r *Rules) validate() error {
	return errors.Join(
		oneOf("mode", r.Mode, modes),
		oneOf("unscoped_tokens", r.UnscopedTokens, unscoped),
		oneOf("oauth", r.OAuth, oauths),
		checkOrigins(r.CORS),
	)
}

func checkOrigins(origins []string) error {
	_, err := judge.ParseOrigins(origins)
	return err
}

// compile returns the rules to judge by, with a catalog.
func (r *Rules) compile(catalog *scopes.Catalog) (policy.Rules, error) {
	policies, err := compilePolicies(r.Policies)
	if err != nil {
		return policy.Rules{}, err
	}
	for i := range policies {
		p := &policies[i]
		p.Bind(catalog)
		switch {
		case p.PermitsAny(catalog.Operations()):
		case slices.ContainsFunc(p.Scopes(), func(scope string) bool { return !scopenames.Fine(scope, scopenames.InPolicy) }):
			// Databricks may have the scope before the catalog does. The policy refuses its
			// tokens everything, see warnOfPolicies.
		case p.LimitsToReads() && !slices.ContainsFunc(catalog.Operations(), func(o scopes.Operation) bool { return o.Reads() }):
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing but reads, and the map does not say of any operation that it reads: it was made by a scopegate that knew no reads; export and sign it again with this version, or leave the option map out", p.Name)
		case p.LimitsToReads() && len(p.Deny) == 0:
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing: of what it names, no operation of the catalog is known to only read; add a scope, allow a route that reads, or class operations in a routes file", p.Name)
		case len(p.Deny) == 0:
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing: no operation of the catalog needs %s; add a scope, allow a route, or name operations in a routes file", p.Name, strings.Join(p.Ceiling, " or "))
		default:
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing: what it allows, it denies as well; remove a deny, or revoke the tokens", p.Name)
		}
	}
	return policy.Rules{AllowUnscoped: r.UnscopedTokens != unscopedDeny, Policies: policies}, nil
}

// hash returns a name for the rules, so that a record tells which were in force.
// Configurations that judge alike have the same.
func (r Rules) hash() (string, error) {
	r.Mode = orDefault(r.Mode, modes)
	r.UnscopedTokens = orDefault(r.UnscopedTokens, unscoped)
	r.OAuth = orDefault(r.OAuth, oauths)
	origins, err := judge.ParseOrigins(r.CORS)
	if err != nil {
		return "", fmt.Errorf("naming the rules: %w", err)
	}
	r.CORS = origins
	rules, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("naming the rules: %w", err)
	}
	sum := sha256.Sum256(rules)
	return hex.EncodeToString(sum[:6]), nil
}

// orDefault returns a setting, or the first of its choices where it is not set.
func orDefault(value string, choices []string) string {
	if value == "" {
		return choices[0]
	}
	return value
}

// Policy narrows what some tokens may do. Policies never widen: a token still needs the
// scope of an operation. Every policy that matches a token applies, and any of them can
// deny.
type Policy struct {
	// Name of the policy, as it appears in refusals and records.
	Name string `json:"name"`

	// Which tokens the policy applies to: those that match every one of these.
	// Default: all tokens.
	Match []Match `json:"match,omitempty"`

	// The only scopes whose operations are permitted; `scim/v2/Me` is always
	// permitted. Of a scope with `:read` behind it, as in `sql:read`, only the operations
	// that are known to change nothing are. A scope that is unknown adds nothing, with a
	// warning. Default: all, unless `allow` is set.
	Scopes []string `json:"scopes,omitempty"`

	// `read` permits only operations that are known to change nothing, whatever `scopes`
	// and `allow` say; `scim/v2/Me` is always permitted. What the map does not have writes.
	// Default: reads and writes.
	Access string `json:"access,omitempty"`

	// Routes that are permitted in addition to those of `scopes`.
	Allow []Route `json:"allow,omitempty"`

	// Routes that are always refused, in any letter case and any API version.
	Deny []Route `json:"deny,omitempty"`

	// Maximum time between a token's creation and its expiry. A token that never
	// expires exceeds every limit. Default: any.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// Refuse tokens that never expire.
	RequireExpiry bool `json:"require_expiry,omitempty"`

	// `enforce` refuses; `observe` records what would be refused and lets it pass.
	// Default: `enforce`.
	Mode string `json:"mode,omitempty"`

	// Enforce for this percentage of tokens, from 1 to 99, and observe for the
	// rest. As the percentage grows, tokens only move from observed to enforced.
	// Default: all tokens.
	Percent int `json:"percent,omitempty"`
}

// Match is a condition on a token.
type Match struct {
	// What to match: `owner` (user name, application id or numeric id), `creator`
	// (the same, of the identity that created it), `token` (its id), `comment` or
	// `scope`. An owner or creator who is not known matches: OAuth tokens have no
	// numeric id. A scope of an OAuth token also matches as the scope that it
	// stands for.
	Kind string `json:"kind"`

	// Values of which any may match. `*` stands for any text and `?` for one
	// character; letter case is ignored.
	Values []string `json:"values"`
}

// Route is a method and a path template, such as `GET` and
// `/api/2.1/unity-catalog/catalogs/{name}`.
type Route struct {
	// An HTTP method, or `*` for all.
	Method string `json:"method"`

	// Path template, in the grammar of the catalog: `{name}` is one segment, a
	// last `*` or `{name...}` the rest. The API version matches any.
	Path string `json:"path"`
}

// maxPolicyLifetime exceeds any lifetime that Databricks grants.
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
			return nil, fmt.Errorf("two policies are named %s; rename one", p.Name)
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
	ceiling, ofReads, err := policy.ParseCeiling(p.Scopes)
	if err != nil {
		return fail(err)
	}
	out := policy.Policy{
		Name:          p.Name,
		Ceiling:       ceiling,
		ReadCeiling:   ofReads,
		ReadOnly:      p.Access == policy.AccessRead,
		MaxLifetime:   time.Duration(p.MaxLifetime),
		RequireExpiry: p.RequireExpiry,
		Observe:       p.Mode == modeObserve,
		Percent:       p.Percent,
	}
	if err := errors.Join(
		oneOf("mode", p.Mode, modes),
		checkAccess(p.Access),
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

// checkAccess checks the access of a policy.
func checkAccess(access string) error {
	if access == "" || access == policy.AccessRead {
		return nil
	}
	return fmt.Errorf("access must be read, not %q; leave it out to permit reads and writes, or write scopes such as sql:read to limit single scopes", access)
}

// warnOfPolicies logs what is valid but most likely a mistake.
func (h *Handler) warnOfPolicies() {
	by := h.enforcer.Judge()
	operations := by.Catalog.Operations()
	for i := range by.Rules.Policies {
		p := &by.Rules.Policies[i]
		scopenames.Warn(h.logger, p.Scopes(), scopenames.InPolicy, zap.String("policy", p.Name))
		for j := range p.Match {
			// A misspelled name matches no token, so that the policy restricts none.
			scopenames.Warn(h.logger, p.Match[j].ScopeNames(), scopenames.OnOAuth, zap.String("policy", p.Name), zap.String("option", "match scope"))
		}
		if !p.PermitsAny(operations) {
			h.logger.Error("a policy permits nothing, because no operation of the catalog needs the scopes that it names; all requests with its tokens are refused", zap.String("policy", p.Name), zap.Strings("scopes", p.Scopes()))
		}
		for _, route := range p.Allow {
			if !p.PermitsRoute(route, operations) {
				h.logger.Warn("a policy with access read allows a route of which no operation is known to only read; it is refused", zap.String("policy", p.Name), zap.Stringer("route", route))
			}
		}
		for _, route := range slices.Concat(p.Allow, p.Deny) {
			if !slices.ContainsFunc(operations, func(o scopes.Operation) bool { return route.Covers(&o) }) {
				h.logger.Warn("a policy names a route that matches no operation of the catalog", zap.String("policy", p.Name), zap.Stringer("route", route))
			}
		}
	}
}
