package policy

import (
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Rules are what the operator chose. The zero value is the safe one.
type Rules struct {
	// AllowUnscoped lets tokens without scopes do what Databricks lets them do:
	// everything. Otherwise they hold no scope at all.
	AllowUnscoped bool
}

// Request is what is to be decided about a request, apart from who sent it.
type Request struct {
	// Readings are all ways in which a server might read the path, each with the
	// operation it names. There is at least one.
	Readings []scopes.Reading
	// WorkspaceID is the workspace that the request names, 0 where it names none.
	WorkspaceID int64
}

// Decision is the verdict on one request and what it rests on.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Operation is the one that decided: the first that the token may not call,
	// or else the one that the path names as it was sent. Nil where the decision
	// did not come to that.
	Operation *scopes.Operation
}

// Decide judges a request by what is known about its token.
//
// The request is allowed only if the token may call the operation of every
// reading: what the workspace takes the path for is the workspace's to choose.
func Decide(info *tokens.Info, request Request, rules Rules, now time.Time) Decision {
	first := request.Readings[0].Operation
	switch {
	case info.Expired(now):
		return Decision{Reason: TokenExpired, Operation: first}
	case request.WorkspaceID != 0 && info.WorkspaceID != 0 && request.WorkspaceID != info.WorkspaceID:
		return Decision{Reason: WrongWorkspace, Operation: first}
	}
	held := Held(info, rules)
	for i := range request.Readings {
		if operation := request.Readings[i].Operation; !operation.Permits(held) {
			return Decision{Reason: MissingScope, Operation: operation}
		}
	}
	return Decision{Allowed: true, Reason: Permitted, Operation: first}
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
// scopes count: what Databricks inferred from use is observation, not permission.
func Held(info *tokens.Info, rules Rules) []string {
	if len(info.Scopes) == 0 && rules.AllowUnscoped {
		return everything
	}
	return info.Scopes
}
