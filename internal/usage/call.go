package usage

import (
	"crypto/sha256"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Call is one judged request.
type Call struct {
	// TokenID is the token's id. A call without one is not recorded.
	TokenID [sha256.Size]byte
	// Operation is what the request does. A call without one is not recorded.
	Operation *scopes.Operation
	// Also are the other operations that a server could read the request as, and that
	// were needed as well. Nearly always there are none.
	Also []*scopes.Operation
	// Allowed is the decision. Enforced is false in mode observe: a call that was
	// denied then passed anyway and counts as a would-be denial.
	Allowed  bool
	Enforced bool
	// Reason is the decision's reason, a policy.Reason.
	Reason string
	// At is when the request arrived; zero means now.
	At time.Time
	// OwnerID and Creator are the token's, according to the workspace. Zero values
	// leave what is known.
	OwnerID int64
	Creator string
}

// kind is what a call says about the token's use.
type kind uint8

const (
	// use: the token called an operation.
	use kind = iota
	// refusal: the token was refused, whatever the operation.
	refusal
	// nothing: the call says nothing about a token that the workspace knows.
	nothing
)

// kind sorts calls by reason. Calls whose token was not looked up are not recorded:
// clients can invent any number of ids, which would evict real tokens. The reasons are
// those of policy.Reason, which this package does not import; a test compares them.
func (c *Call) kind() kind {
	switch c.Reason {
	case "public_route", "oauth_passed", "cors_preflight", "cors_not_allowed", "missing_credential", "unsupported_credential", "unknown_token",
		"ambiguous_request", "malformed_path", "misdirected_request",
		"directory_unavailable", "gateway_misconfigured", "audit_unavailable":
		return nothing
	case "token_expired", "wrong_workspace":
		return refusal
	}
	return use
}
