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
	// Allowed is the verdict. Enforced tells whether a refusal was carried out: one
	// that was not (mode observe) has passed and counts as a would-be denial.
	Allowed  bool
	Enforced bool
	// Reason is the verdict's reason, one of the words of policy.Reason.
	Reason string
	// At is when the request arrived; zero means now.
	At time.Time
	// OwnerID and Creator are what the workspace told of the token. Zero values
	// leave what is known already.
	OwnerID int64
	Creator string
}

// kind is what a call says about the token's use.
type kind uint8

const (
	// use tells of an operation.
	use kind = iota
	// refusal tells that the token was refused whatever it asked for.
	refusal
	// nothing tells nothing of a token that the workspace knows.
	nothing
)

// kind sorts calls by their reason. Reasons under which nobody has looked the token
// up are left out: their ids are the client's to choose, and so many of them would
// push out those of real tokens. The words are those of policy.Reason; a test holds
// them equal.
func (c *Call) kind() kind {
	switch c.Reason {
	case "public_route", "oauth_passed", "missing_credential", "unsupported_credential", "unknown_token",
		"ambiguous_request", "malformed_path", "directory_unavailable", "audit_unavailable":
		return nothing
	case "token_expired", "wrong_workspace":
		return refusal
	}
	return use
}
