// Package audit records decisions: one [Record] per request, started before anything
// can fail, completed on the way and emitted once. It has the same fields whether the
// request was allowed, refused, or would have been refused.
//
// A record goes to a [Logger], which writes it before the request ends, and to [Sinks],
// which send it later. A sink is a queue with an exporter.
//
// The fields are listed once, in fields.go. To add one, add its row there and run
// go test ./internal/audit -run Documentation -update.
//
// A record never holds a token, a header value other than the user agent, a query or a
// body. Tokens appear by their id, which is not secret.
package audit
