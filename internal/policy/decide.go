package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Rules are the operator's settings. The zero value is the strictest.
type Rules struct {
	// AllowUnscoped treats tokens without scopes as Databricks does: they may do
	// everything. Otherwise they hold no scope.
	AllowUnscoped bool
	// Policies narrow what tokens may do. Every policy that matches a token applies.
	Policies []Policy
	// Learned adds to what the catalog's rows permit to tokens by their scopes, nil for
	// nothing. It does not add to what policies permit.
	Learned Learned
}

// Learned is what the workspace was seen to accept.
type Learned interface {
	// Permits reports whether scopes are enough that the operation's row does not list.
	Permits(operation *scopes.Operation, held []string) bool
}

// permits reports whether scopes are enough for an operation.
func (r *Rules) permits(operation *scopes.Operation, info *tokens.Info, method string, held []string) bool {
	held = operation.HeldFor(method, held)
	return Permits(operation, info, held) || r.Learned != nil && r.Learned.Permits(operation, held)
}

// NeedOwnerName reports whether any policy tests the owner's name.
func (r Rules) NeedOwnerName() bool {
	for i := range r.Policies {
		for j := range r.Policies[i].Match {
			if r.Policies[i].Match[j].needsOwnerName() {
				return true
			}
		}
	}
	return false
}

// Enforced returns the rules with every policy enforced for all tokens.
func (r Rules) Enforced() Rules {
	r.Policies = slices.Clone(r.Policies)
	for i := range r.Policies {
		r.Policies[i].Observe, r.Policies[i].Percent = false, 0
	}
	return r
}

// Bound returns the rules with the routes of their policies bound to a catalog, see
// [Policy.Bind].
func (r Rules) Bound(catalog *scopes.Catalog) Rules {
	r.Policies = slices.Clone(r.Policies)
	for i := range r.Policies {
		p := &r.Policies[i]
		p.Allow, p.Deny = slices.Clone(p.Allow), slices.Clone(p.Deny)
		p.Bind(catalog)
	}
	return r
}

// Request is the part of a decision's input that does not depend on the token.
type Request struct {
	// Method is the HTTP method, for the routes of policies and for parts of scopes.
	Method string
	// Readings are all the ways a server might read the path, each with the operation
	// it names. There is at least one.
	Readings []scopes.Reading
	// WorkspaceID is the workspace that the request names, 0 if it names none.
	WorkspaceID int64
}

// Ruling is the outcome for one request, with its grounds.
type Ruling struct {
	Allowed bool
	Reason  Reason
	// Operation is the one that decided: the first that the token may not call, or
	// else the one that the path names as it was sent.
	Operation *scopes.Operation
	// SpellingOf is the catalog's row of Operation where the scopes are missing because
	// the path spells it as no row does. Otherwise it is nil.
	SpellingOf *scopes.Operation
	// Policy names the policy that refused the request, and Requirement says what it
	// requires. Both are empty for every other reason.
	Policy      string
	Requirement string
	// Option is the option of that policy that refused it, as the Caddyfile spells it.
	Option string
	// Rehearsed means that only rehearsed policies refuse the request: it is recorded
	// as refused, and allowed.
	Rehearsed bool
}

// Decide decides a request from what is known about its token.
//
// The request is allowed only if the token may call the operation of every
// reading, because the workspace may choose any of them. Policies come last, since
// they only narrow. If several refuse, an enforced policy is named before a rehearsed
// one, and otherwise the first.
func Decide(subject Subject, request Request, rules Rules, now time.Time) Ruling {
	info := subject.Info
	first := request.Readings[0].Operation
	switch {
	case info.Expired(now):
		return Ruling{Reason: TokenExpired, Operation: first}
	case request.WorkspaceID != 0 && info.WorkspaceID != 0 && request.WorkspaceID != info.WorkspaceID:
		return Ruling{Reason: WrongWorkspace, Operation: first}
	}
	held := Held(info, rules)
	for i := range request.Readings {
		switch operation := request.Readings[i].Operation; {
		case operation.Access == scopes.AccountOnly:
			return Ruling{Reason: AccountLevelOperation, Operation: operation}
		case !rules.permits(operation, info, request.Method, held):
			row := request.Readings[i].SpellingOf
			if row != nil && !operation.Unmapped() {
				row = nil // the catalog has the path too, so another spelling needs no less
			}
			return Ruling{Reason: MissingScope, Operation: operation, SpellingOf: row}
		}
	}
	ruling := Ruling{Allowed: true, Reason: Permitted, Operation: first}
	for i := range rules.Policies {
		p := &rules.Policies[i]
		if !p.matches(subject, held) {
			continue
		}
		enforced := p.enforces(info.ID)
		if !enforced && ruling.Rehearsed {
			continue // of the rehearsed policies that refuse, the first is named
		}
		o := p.judge(subject, request)
		if o == nil {
			continue
		}
		ruling = Ruling{Reason: o.reason, Operation: cmp.Or(o.operation, first), Policy: p.Name, Requirement: o.requirement, Option: o.option, Rehearsed: !enforced}
		if enforced {
			break
		}
	}
	return ruling
}

// Public reports whether every reading names an operation that needs no token.
func Public(readings []scopes.Reading) bool {
	for i := range readings {
		if readings[i].Operation.Access != scopes.Public {
			return false
		}
	}
	return len(readings) > 0
}

var everything = []string{scopes.AllAPIs}

// Held returns the scopes that a token may use under the rules. Only granted
// scopes count: what Databricks inferred from use is observation, not permission. An OAuth
// token always says its scopes: one without any holds none.
func Held(info *tokens.Info, rules Rules) []string {
	if len(info.Scopes) == 0 && rules.AllowUnscoped && !info.OAuth {
		return everything
	}
	return info.Scopes
}
