// Package caddymodule is scopegate's Caddy surface, and the only package that knows
// Caddy's modules. It registers
//
//   - the app databricks with the global option databricks (app.go, workspace.go),
//     which owns what handlers share,
//   - the handler http.handlers.databricks_scopes with the directive databricks_scopes
//     (handler.go), which judges requests,
//   - the directive databricks_gateway (gateway.go), which is the handler and a
//     reverse_proxy tuned for a Databricks workspace,
//   - the handler http.handlers.databricks_authority (authority.go), which answers edges,
//   - the handler http.handlers.databricks_scopes_health, for probes (health.go),
//   - the handler http.handlers.databricks_console (console.go), a page for operators,
//   - the admin API's routes below /databricks_scopes/ (adminapi.go), and
//   - the command scopes (command.go).
//
// A request passes through internal/exchange: a record is started, internal/judge decides,
// a place for the record is reserved, and the request is refused (internal/refusal) or
// passed on. Then the record goes to the sinks (internal/audit) and the token's use to
// internal/usage.
//
// To add an option, add a field to the struct that holds its neighbors ([Rules],
// [WorkspaceOptions], [Fleet], [Authority] or [Audit]), its name to that struct's options function, and its
// check to validate. The tests compare the options with the syntax in README.md and docs/reference.md.
package caddymodule
