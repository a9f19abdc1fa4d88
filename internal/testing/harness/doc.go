// Package harness runs the gateway for black-box tests: Caddy with scopegate in
// this process, in front of a fake workspace, over real sockets.
//
// Tests see what users see: responses, audit records, the admin API, metrics, logs
// and events. Caddy has one configuration per process, so tests that use the
// harness do not run in parallel; their packages do.
package harness
