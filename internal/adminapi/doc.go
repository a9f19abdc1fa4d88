// Package adminapi holds scopegate's routes below /databricks_scopes/ of Caddy's admin
// API, and their client. Paths, parameters and JSON are stated once, for both sides.
//
// The package does not know Caddy: a [Gateway] tells it what the running configuration
// holds, and a [Client] is given a function that sends requests.
//
// Files: routes.go (the table of routes), gateway.go (what they ask the gateway),
// explain.go, report.go, recommend.go, replay.go, drift.go, findings.go and tokens.go (one topic
// each), parameters.go (how queries are read), client.go.
package adminapi
