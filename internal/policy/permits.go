package policy

import (
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Permits reports whether the scopes that a token may use (see [Held]) permit an operation.
// Those of an OAuth access token may be aliases, see [scopes.Operation.PermitsOAuth]; those
// of a personal access token match exactly.
func Permits(operation *scopes.Operation, info *tokens.Info, held []string) bool {
	return operation.Permits(held) || info.OAuth && operation.PermitsOAuth(held)
}
