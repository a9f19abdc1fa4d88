// Package authority answers edges: gateways that hold no admin credential. It speaks the
// protocol of package wire over plain net/http.
//
// An edge is told what it asks about one token at a time, by the token's id, and of every
// change. It can list nothing.
//
// Files:
//
//	options.go     what a [Server] needs, and its limits
//	server.go      the way of a request: secure, authenticated, within limits, routed
//	access.go      who may ask: shared tokens, certificates, service accounts
//	shared.go      shared tokens
//	certificate.go client certificates
//	kubernetes.go  service account tokens
//	keys.go        the keys that sign these
//	registry.go    the edges, and what each may ask for
//	bucket.go      a token bucket that gives back
//	token.go       tokens/{id} and owners/{id}
//	stream.go      changes
//	ack.go         acks, and how long changes took
//	report.go      reports of edges
//	snapshot.go    usage of edges
//	progress.go    edges and progress, for people
//	problem.go     errors
//	refusals.go    what the log says of them
package authority
