// Package tokens answers one question: who is asking?
//
// It takes a request from its Authorization header to the facts that Databricks
// keeps about the token:
//
//	Authorization values → Credential → ID → Resolver → Facts
//
// # Identity
//
// The Token Management API identifies a personal access token (PAT) by the SHA-256
// of its whole value, including prefix and suffix, unsalted, in lower-case
// hexadecimal. Databricks' SDK documents this for the token_id of PATCH
// /api/2.0/token/{token_id}, and published pairs of value and ID agree. Only the
// [ID] leaves this package: it is the cache key and what logs, metrics and records
// show. The value is neither stored nor logged.
//
// # Facts, not decisions
//
// The [Resolver] caches what the workspace's token service said about a token, and
// when. Whether a token has expired or holds a scope is decided on every request by
// the policy package, so that a cached answer can never outlive the token's expiry
// or be mistaken for permission on another route.
//
// # Files
//
//	credential.go, id.go           Authorization header → Credential, ID
//	resolver.go, lookup.go         Resolver: cache or look-up, one per token at a time
//	cache.go, info.go, facts.go    what is remembered
//	lifetime.go, answer*.go        expiries; answers, read strictly
//	refresh.go, sync.go, list.go   background refresh, refresh from the list, reports
//	limits.go, breaker.go          rate, concurrency, pauses after failures
//	settle.go, own.go              whether a failure is an outage, or one token's affair
//	service.go, admin.go           the Token Management API and how we sign in to it
//	transport*.go, errors.go       bounded requests; outages and what to do about them
//	owners.go                      owner names by SCIM
//	change.go, verify.go           for commands: change or revoke tokens, prove the ID rule
//
// The package knows the Databricks SDK. It does not know Caddy, routes or scopes.
package tokens
