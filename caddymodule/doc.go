// Package caddymodule is scopegate's Caddy surface. It registers
//
//   - the handler module http.handlers.databricks_scopes with the Caddyfile
//     directive databricks_scopes, which judges requests,
//   - the directive databricks_gateway, a shorthand for the handler with its
//     defaults and a reverse_proxy that is tuned for a Databricks workspace,
//   - the handler module http.handlers.databricks_scopes_health, for probes,
//   - the admin API's routes below /databricks_scopes/, and
//   - the command scopes.
//
// A request meets, in this order: [Handler.ServeHTTP] (handler.go), which asks
// (decide.go) what the request is (target.go), who sends it (internal/tokens), and
// what that token may do (internal/policy); then either a refusal (refusal.go) or
// the next handler, after everything that could contradict the verdict was taken
// out of the request (hygiene.go). Either way one record is written (record.go),
// and changes of tokens that pass are noticed (invalidate.go).
//
// No other package of scopegate knows Caddy.
package caddymodule
