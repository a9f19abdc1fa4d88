package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
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
	)
}

// compile returns the rules to judge by, with a catalog.
func (r *Rules) compile(catalog *scopes.Catalog) (policy.Rules, error) {
	policies, err := compilePolicies(r.Policies)
	if err != nil {
		return policy.Rules{}, err
	}
	for i := range policies {
		p := &policies[i]
		switch {
		case p.PermitsAny(catalog.Operations()):
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
