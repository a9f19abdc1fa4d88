package policy

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Policy narrows what some tokens may do. It never widens: the token still needs the
// scope.
type Policy struct {
	// Name appears in refusals and records.
	Name string
	// Match selects the tokens that the policy applies to: those that meet every
	// condition. None means all tokens.
	Match []Condition
	// Ceiling lists the only scopes whose operations are permitted, see
	// [scopes.Operation.PermitsStrictly]: nothing but the gateway enforces it. If Ceiling
	// and Allow are both empty, all operations are.
	Ceiling []string
	// ReadCeiling is the ceiling of operations that only read: all of Ceiling, and the scopes
	// of which nothing but these is permitted. Empty means that it is Ceiling. [ParseCeiling]
	// makes both.
	ReadCeiling []string
	// ReadOnly refuses all operations that are not known to only read. It wins over Ceiling,
	// ReadCeiling and Allow.
	ReadOnly bool
	// Allow lists routes that are permitted in addition to the ceiling's.
	Allow []Route
	// Deny lists routes that are always refused. It wins over Ceiling and Allow.
	Deny []Route
	// MaxLifetime is the longest time between a token's creation and its expiry;
	// 0 means no limit. A token that never expires exceeds every limit.
	MaxLifetime time.Duration
	// RequireExpiry refuses tokens that never expire.
	RequireExpiry bool
	// Observe rehearses the policy: requests that it would refuse are recorded and
	// allowed.
	Observe bool
	// Percent, from 1 to 99, enforces the policy for that share of tokens and
	// rehearses it for the others. The same tokens are always picked, and raising the
	// value only adds some. 0 enforces it for all.
	Percent int
}

// Validate reports mistakes that show without the catalog or other policies.
func (p *Policy) Validate() error {
	switch {
	case p.Name == "":
		return errors.New("a policy needs a name")
	case p.permitsAll() && !p.ReadOnly && len(p.Deny) == 0 && p.MaxLifetime == 0 && !p.RequireExpiry:
		return fmt.Errorf("policy %s narrows nothing; give it scopes, access read, allow, deny, max_lifetime or require_expiry", p.Name)
	}
	for _, route := range p.Allow {
		if slices.ContainsFunc(p.Deny, route.within) && len(p.Scopes()) == 0 && len(p.Allow) == 1 {
			return fmt.Errorf("policy %s permits nothing: it denies the only route that it allows, %s", p.Name, route)
		}
	}
	return nil
}

// PermitsAny reports whether the policy can permit anything: one of the operations
// given, or a route that it allows.
func (p *Policy) PermitsAny(operations []scopes.Operation) bool {
	for _, r := range p.Allow {
		if !p.deniesRow(r.Method, r.Template.String()) && p.PermitsRoute(r, operations) {
			return true
		}
	}
	for i := range operations {
		o := &operations[i]
		if o.Access != scopes.ScopedAccess {
			continue // public, any-scope and account-level operations don't count
		}
		if p.ReadOnly && !o.Reads() {
			continue
		}
		if p.permitsAll() || o.PermitsStrictly(p.ceiling(o)) {
			if !p.deniesRow(o.Method, o.Template) {
				return true
			}
		}
	}
	return false
}

// deniesRow reports whether a denied route covers a row of the catalog as a whole.
func (p *Policy) deniesRow(method, template string) bool {
	return slices.ContainsFunc(p.Deny, func(r Route) bool { return r.deniesRow(method, template) })
}

// Bind looks the operations of the policy's routes up in the catalog that requests are
// read with. Without it a route does not know paths of an operation that are unlike its
// own.
func (p *Policy) Bind(catalog *scopes.Catalog) {
	for _, routes := range [][]Route{p.Allow, p.Deny} {
		for i := range routes {
			routes[i].bind(catalog)
		}
	}
}

// Subject is what is known about a token and its owner.
type Subject struct {
	Info *tokens.Info
	// Owner is Info.Owner, completed by its name where that could be found out. A
	// condition that tests something unknown matches: failing to narrow would be the
	// unsafe mistake.
	Owner tokens.Principal
	// CommentUnknown means that Info.Comment is not known.
	CommentUnknown bool
}

// matches reports whether the policy applies to a token that holds these scopes.
func (p *Policy) matches(s Subject, held []string) bool {
	for i := range p.Match {
		if !p.Match[i].matches(s, held) {
			return false
		}
	}
	return true
}

// objection is why a policy refuses a request.
type objection struct {
	reason    Reason
	operation *scopes.Operation
	// requirement completes the sentence "policy p, which ..." in the refusal.
	requirement string
	// option is the policy's option that objects, as the Caddyfile spells it.
	option string
}

// judge returns the policy's objection to a request, or nil if it permits it.
func (p *Policy) judge(s Subject, request Request) *objection {
	info := s.Info
	if p.RequireExpiry || p.MaxLifetime > 0 {
		// An unknown expiry is as good as none.
		if _, ends := info.Expires.At(); !ends {
			return &objection{PolicyLifetime, nil, "asks for tokens that expire", p.lifetimeOption()}
		}
	}
	if life, known := info.Lifetime(); p.MaxLifetime > 0 && (!known || life > p.MaxLifetime) {
		return &objection{PolicyLifetime, nil, "asks for tokens that are made for at most " + days(p.MaxLifetime), "max_lifetime"}
	}
	for i := range request.Readings {
		reading := &request.Readings[i]
		for k := range p.Deny {
			if p.Deny[k].denies(request.Method, reading) {
				return &objection{PolicyDenied, reading.Operation, "denies this route", "deny"}
			}
		}
	}
	if p.permitsAll() && !p.ReadOnly {
		return nil
	}
	for i := range request.Readings {
		reading := &request.Readings[i]
		operation := reading.Operation
		switch {
		// Clients look up their own user before anything else.
		case operation.Access == scopes.AnyScope && operation.Name == whoAmI:
		case p.ReadOnly && !operation.Reads():
			return &objection{PolicyDenied, operation, onlyReads + "; " + writes(operation), "access read"}
		case p.permitsAll() || operation.PermitsStrictly(p.ceiling(operation)):
		case p.allows(request.Method, reading):
		default:
			return &objection{PolicyDenied, reading.Operation, p.permitted() + p.lacks(reading.Operation), p.ceilingOption()}
		}
	}
	return nil
}

// lifetimeOption is the option that asks for tokens that expire.
func (p *Policy) lifetimeOption() string {
	if p.RequireExpiry {
		return "require_expiry"
	}
	return "max_lifetime"
}

// ceilingOption is the option that lists what is permitted.
func (p *Policy) ceilingOption() string {
	if len(p.Scopes()) > 0 {
		return "scopes"
	}
	return "allow"
}

// whoAmI is the operation that tells clients who they are.
const whoAmI = "iam.CurrentUser.Me"

// allows reports whether the policy allows a reading by one of its routes.
func (p *Policy) allows(method string, reading *scopes.Reading) bool {
	for i := range p.Allow {
		if p.Allow[i].allows(method, reading) {
			return true
		}
	}
	return false
}

// permitted lists what the policy permits, for the refusal.
func (p *Policy) permitted() string {
	text := "permits only"
	for i, scope := range p.Scopes() {
		if i > 0 {
			text += ","
		}
		text += " " + scope
		if !slices.Contains(p.Ceiling, scope) {
			text += readSuffix
		}
	}
	if len(p.Allow) > 0 {
		if len(p.Scopes()) > 0 {
			text += " and"
		}
		text += " its own routes"
	}
	return text
}

// lacks completes what permitted says for an operation that the ceiling would permit if it
// were known to read, or if it were known which scope it needs.
func (p *Policy) lacks(operation *scopes.Operation) string {
	ceiling := p.ceiling(operation)
	switch {
	case operation.Permits(ceiling):
	case !operation.Reads() && operation.PermitsStrictly(p.ReadCeiling):
		return "; " + writes(operation)
	default:
		return ""
	}
	missing := slices.DeleteFunc(strings.Split(operation.Strict()[0], scopes.And), func(scope string) bool { return slices.Contains(ceiling, scope) })
	return "; this operation may need " + strings.Join(missing, ", ") + " as well"
}

// enforces reports whether the policy is enforced for a token rather than rehearsed.
func (p *Policy) enforces(id tokens.ID) bool {
	if p.Observe {
		return false
	}
	if p.Percent == 0 {
		return true
	}
	return p.EnforcedFrom(id) <= p.Percent
}

// EnforcedFrom returns the lowest percentage with which the policy is enforced for a token,
// from 1 to 100. It does not depend on Observe and Percent.
func (p *Policy) EnforcedFrom(id tokens.ID) int {
	// The name is hashed too, so that each policy picks different tokens first.
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Name)) // never fails
	_, _ = h.Write(id[:])
	return int(h.Sum64()%100) + 1
}

// Rehearsed reports whether the policy is not enforced for all of its tokens.
func (p *Policy) Rehearsed() bool { return p.Observe || p.Percent > 0 }

// days formats a duration, in days if it is a whole number of them.
func days(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		if d == day {
			return "1 day"
		}
		return fmt.Sprintf("%d days", d/day)
	}
	return duration.Format(d)
}
