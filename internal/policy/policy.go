package policy

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Policy narrows what some tokens may do. It never widens: a token needs the
// scope all the same.
type Policy struct {
	// Name stands in refusals and records.
	Name string
	// Match says which tokens the policy is about: those that meet every condition.
	// None means all tokens.
	Match []Condition
	// Ceiling are the only scopes whose operations are permitted. Without any, and
	// without Allow, all operations are.
	Ceiling []string
	// Allow are routes that are permitted beside those of the ceiling.
	Allow []Route
	// Deny are routes that are refused whatever else permits them.
	Deny []Route
	// MaxLifetime is the longest time between a token's creation and its expiry;
	// 0 means any. A token that never expires is over every limit.
	MaxLifetime time.Duration
	// RequireExpiry refuses tokens that never expire.
	RequireExpiry bool
	// Observe rehearses the policy: what it would refuse is recorded and passes.
	Observe bool
	// Percent, from 1 to 99, enforces the policy for that share of tokens and
	// rehearses it for the others. A token stays on its side. 0 means all.
	Percent int
}

// Validate reports what is wrong with a policy on its own.
func (p *Policy) Validate() error {
	switch {
	case p.Name == "":
		return errors.New("a policy needs a name")
	case len(p.Ceiling) == 0 && len(p.Allow) == 0 && len(p.Deny) == 0 && p.MaxLifetime == 0 && !p.RequireExpiry:
		return fmt.Errorf("policy %s narrows nothing; give it scopes, allow, deny, max_lifetime or require_expiry", p.Name)
	}
	for _, route := range p.Allow {
		if slices.ContainsFunc(p.Deny, route.within) && len(p.Ceiling) == 0 && len(p.Allow) == 1 {
			return fmt.Errorf("policy %s permits nothing: it denies the only route that it allows, %s", p.Name, route)
		}
	}
	return nil
}

// PermitsAny reports whether there is an operation that the policy can permit, among
// those of a catalogue or on a route of its own.
func (p *Policy) PermitsAny(operations []scopes.Operation) bool {
	for _, r := range p.Allow {
		if path := r.Template.String(); !p.denies(r.Method, path) {
			return true
		}
	}
	for i := range operations {
		o := &operations[i]
		if o.Access != scopes.ScopedAccess {
			continue // what needs no scope, or an account's token, is not what a policy is for
		}
		if len(p.Allow) == 0 && len(p.Ceiling) == 0 || o.Permits(p.Ceiling) {
			// Its names for parts are a path like any other.
			if !p.denies(o.Method, o.Template) {
				return true
			}
		}
	}
	return false
}

// denies reports whether a route that is denied covers a method, or * for all, and a
// path.
func (p *Policy) denies(method, path string) bool {
	return slices.ContainsFunc(p.Deny, func(r Route) bool { return r.denies(method, path) })
}

// Subject is what is known of a token and its owner.
type Subject struct {
	Info *tokens.Info
	// OwnerName is the owner's user name or application id. It is not part of what
	// Token Management tells, so it may be unknown: then a policy that asks for it
	// is taken to match, because not to narrow would be the unsafe mistake.
	OwnerName string
}

// matches reports whether the policy is about a token that holds some scopes.
func (p *Policy) matches(s Subject, held []string) bool {
	for i := range p.Match {
		if !p.Match[i].fits(s, held) {
			return false
		}
	}
	return true
}

// objection is why a policy refuses a request.
type objection struct {
	reason    Reason
	operation *scopes.Operation
	// requirement says in words what the policy requires.
	requirement string
}

// judge returns the policy's objection to a request, or nil.
func (p *Policy) judge(s Subject, request Request) *objection {
	info := s.Info
	if p.RequireExpiry || p.MaxLifetime > 0 {
		// An expiry that the workspace did not tell is none that one can rely on.
		if info.Expires.IsZero() {
			return &objection{PolicyLifetime, nil, "asks for tokens that expire"}
		}
	}
	if p.MaxLifetime > 0 && (info.Created.IsZero() || info.Expires.Sub(info.Created) > p.MaxLifetime) {
		return &objection{PolicyLifetime, nil, "asks for tokens that are made for at most " + days(p.MaxLifetime)}
	}
	for i := range request.Readings {
		if reading := &request.Readings[i]; p.denies(request.Method, reading.Path) {
			return &objection{PolicyDenied, reading.Operation, "denies this route"}
		}
	}
	if len(p.Ceiling) == 0 && len(p.Allow) == 0 {
		return nil
	}
	for i := range request.Readings {
		reading := &request.Readings[i]
		switch {
		// Clients ask who they are before anything else.
		case reading.Operation.Access == scopes.AnyScope:
		case reading.Operation.Permits(p.Ceiling):
		case slices.ContainsFunc(p.Allow, func(r Route) bool { return r.allows(request.Method, reading.Path) }):
		default:
			return &objection{PolicyDenied, reading.Operation, p.offers()}
		}
	}
	return nil
}

// offers says what the policy permits, for the refusal.
func (p *Policy) offers() string {
	text := "permits only"
	for i, scope := range p.Ceiling {
		if i > 0 {
			text += ","
		}
		text += " " + scope
	}
	if len(p.Allow) > 0 {
		if len(p.Ceiling) > 0 {
			text += " and"
		}
		text += " its own routes"
	}
	return text
}

// enforces reports whether the policy refuses what it objects to for a token, or
// only rehearses.
func (p *Policy) enforces(id tokens.ID) bool {
	if p.Observe {
		return false
	}
	if p.Percent == 0 {
		return true
	}
	// The name is mixed in so that not the same tokens come first in every policy.
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Name)) // never fails
	_, _ = h.Write(id[:])
	return h.Sum64()%100 < uint64(p.Percent)
}

// days writes a duration as people say it.
func days(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		if d == day {
			return "1 day"
		}
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
