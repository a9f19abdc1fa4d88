// Package tokens answers one question: who is asking?
//
// It takes a request from its Authorization header to the facts that Databricks
// keeps about the token:
//
//	Authorization values → Credential → ID → Resolver → Facts
//
// # Identity
//
// A personal access token (PAT) is known to the Token Management API by the
// lower-case hexadecimal SHA-256 of its whole value, prefix and suffix included,
// without salt. Databricks' SDK says so of the token_id of
// PATCH /api/2.0/token/{token_id}, and published pairs of value and id agree.
// Only the [ID] leaves this package: it is the cache key and what logs, metrics
// and records show. The value is neither stored nor logged.
//
// # Facts, not verdicts
//
// The [Resolver] caches what the admin API said about a token and when it said
// so. Whether a token has expired or holds a scope is judged on every request by
// the policy package, so that a cached answer can never outlive the expiry of the
// token or be taken for permission on another route.
//
// The package knows the Databricks SDK. It does not know Caddy, routes or scopes.
package tokens
