// Package recent holds the records of the last decisions in memory, so that one of them
// can be told by the request id that its client saw. It does not know Caddy.
//
// Files: ring.go (what requests do), slot.go (what is kept of a record), find.go.
package recent
