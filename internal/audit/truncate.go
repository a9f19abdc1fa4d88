package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// Limits for what clients and users choose, in bytes.
const (
	maxMethod    = 24
	maxPath      = 1024
	maxUserAgent = 256
	maxComment   = 256
	maxName      = 256
)

// TruncateMethod returns a method for a record. The result does not keep the request
// line in memory.
func TruncateMethod(method string) string {
	for _, known := range knownMethods {
		if method == known {
			return known
		}
	}
	return strings.Clone(sanitize.String(method, maxMethod))
}

// TruncatePath returns an escaped path for a record, without tokens that a client put
// into it by mistake. Target is the request target that the path is a part of: a queued
// record must not keep a long query in memory.
func TruncatePath(path, target string) string {
	path = sanitize.String(path, maxPath)
	if len(target) > 2*maxPath {
		return strings.Clone(path)
	}
	return path
}

// TruncateUserAgent returns a User-Agent header for a record.
func TruncateUserAgent(agent string) string { return sanitize.String(agent, maxUserAgent) }

// TruncateName returns a user's name for a record.
func TruncateName(name string) string { return sanitize.String(name, maxName) }

// TruncateNames returns header names for a record, at most 16 and a mark.
func TruncateNames(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	const limit, maxHeader = 16, 64
	truncated := make([]string, 0, min(len(names), limit+1))
	for i, name := range names {
		if i == limit {
			return append(truncated, sanitize.Mark)
		}
		truncated = append(truncated, sanitize.String(name, maxHeader))
	}
	return truncated
}

// SafeRequestID returns the x-request-id of the workspace's response if it is a UUID,
// otherwise an empty string: anything else may echo what a client sent.
func SafeRequestID(id string) string {
	if len(id) != 36 || uuid.Validate(id) != nil {
		return ""
	}
	return id
}

// CommentMode says how a token's comment appears in records. A comment is free text
// from the user who created the token.
type CommentMode string

const (
	CommentHash  CommentMode = "hash"  // a hash
	CommentPlain CommentMode = "plain" // at most 256 bytes
	CommentOff   CommentMode = "off"   // not at all
)

// Comment returns a token's comment for a record. Unknown modes count as CommentHash. A
// hash shows whether two comments are equal, and hides one only as long as it cannot be
// guessed.
func Comment(comment string, mode CommentMode) string {
	switch {
	case comment == "" || mode == CommentOff:
		return ""
	case mode == CommentPlain:
		return sanitize.String(comment, maxComment)
	}
	const prefix, kept = "sha256:", 8
	var buf [256]byte // so that nearly every comment is copied to the stack
	sum := sha256.Sum256(append(buf[:0], comment...))
	var hash [len(prefix) + 2*kept]byte
	hex.Encode(hash[copy(hash[:], prefix):], sum[:kept])
	return string(hash[:])
}
