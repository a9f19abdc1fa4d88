// Package decisions checks what the gateway decides, answers and records: for tokens,
// scopes, policies and OAuth, and while tokens cannot be looked up.
package decisions
