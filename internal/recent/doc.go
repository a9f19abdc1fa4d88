// Package recent remembers the last decisions of this process: for a question about one of
// them, by the request id that its client saw, for a page that shows them as they are made,
// and in counts per minute. It does not know Caddy.
//
// Records are kept encoded, in pages of a fixed size without pointers: a full ring costs the
// garbage collector nothing, and no more memory whatever clients send. The newest few wait to be
// encoded together.
//
// Files: ring.go (what requests do), batch.go, page.go, record.go (what is kept of a record), wire.go
// (how values are written), find.go, latest.go, oftoken.go,
// follow.go, minutes.go.
package recent
