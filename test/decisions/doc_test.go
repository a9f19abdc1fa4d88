// Package decisions checks what the gateway answers and records for requests of every
// kind: tokens, scopes, policies, OAuth, and what happens when tokens cannot be looked
// up.
package decisions
