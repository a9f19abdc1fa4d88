// Package why tells one decision to a person: who asked for what, which rule decided, what
// it rests on, what would permit the request, and what the client saw. It tells it from a
// record, which a gateway still has in memory ([Tell]), or which an audit log has ([Search]).
// It does not know Caddy.
//
// Files: story.go (what is told), tell.go (from a record), reasons.go (reason codes in
// words), map.go (what the row rests on), permit.go (what would permit the request),
// client.go (what the client saw), text.go (for a terminal), search.go (audit logs),
// id.go.
package why
