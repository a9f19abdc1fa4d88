package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// What a client or a user chose is bounded, in bytes.
const (
	maxMethod    = 24
	maxPath      = 1024
	maxUserAgent = 256
	maxComment   = 256
	maxName      = 256
)

// mark stands for what was left out.
const mark = "…"

// CutMethod returns what of a method belongs in a record. Nothing of the request is
// kept in memory by it.
func CutMethod(method string) string {
	for _, known := range knownMethods {
		if method == known {
			return known
		}
	}
	return strings.Clone(cut(hideTokens(method), maxMethod))
}

// CutPath returns what of an escaped path belongs in a record: no token that
// somebody put into a URL by mistake. Target is what the path was a part of: a record
// that waits should not keep a long query in memory.
func CutPath(path, target string) string {
	path = cut(hideTokens(path), maxPath)
	if len(target) > 2*maxPath {
		return strings.Clone(path)
	}
	return path
}

// CutUserAgent returns what of a User-Agent header belongs in a record.
func CutUserAgent(agent string) string { return cut(hideTokens(agent), maxUserAgent) }

// CutName returns what of a user's name belongs in a record.
func CutName(name string) string { return cut(name, maxName) }

// CutNames returns what of a list of header names belongs in a record.
func CutNames(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	const limit, maxHeader = 16, 64
	cutted := make([]string, 0, min(len(names), limit+1))
	for i, name := range names {
		if i == limit {
			return append(cutted, mark)
		}
		if lower := strings.ToLower(name); hideTokens(lower) != lower {
			name = mark
		}
		cutted = append(cutted, cut(name, maxHeader))
	}
	return cutted
}

// cut shortens text that a client chose, and says so. It is valid UTF-8 then: OTLP
// knows no other, and one broken byte would cost all records of a batch.
func cut(s string, limit int) string {
	s = valid(s)
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// secretPrefixes are how Databricks' secrets and JWTs begin. minSecret is what
// follows at least.
var secretPrefixes = []string{"dapi", "dkea", "dosa", "dose", "eyJ"}

const minSecret = 16

// hideTokens replaces what looks like a token by its prefix: people paste tokens
// into URLs and agents into their names.
func hideTokens(s string) string {
	if len(s) < minSecret {
		return s
	}
	for _, prefix := range secretPrefixes {
		for from := 0; ; {
			i := strings.Index(s[from:], prefix)
			if i < 0 {
				break
			}
			i += from + len(prefix)
			end := i
			for end < len(s) && secretByte(s[end]) {
				end++
			}
			if end-i >= minSecret {
				s = s[:i] + mark + s[end:]
			}
			from = i
		}
	}
	return s
}

func secretByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
}

// CutRequestID returns an x-request-id of the workspace's answer if it has the
// form of one, a UUID. Anything else may be what a client sent and somebody
// echoed.
func CutRequestID(id string) string {
	if len(id) != 36 || uuid.Validate(id) != nil {
		return ""
	}
	return id
}

// CommentMode says how a token's comment appears in records. It is free text of
// whoever made the token.
type CommentMode string

const (
	CommentHash  CommentMode = "hash"
	CommentPlain CommentMode = "plain"
	CommentOff   CommentMode = "off"
)

// Comment returns a token's comment as a mode has it. A hash tells whether two
// comments are the same, and hides one only from who cannot guess it.
func Comment(comment string, mode CommentMode) string {
	switch {
	case comment == "" || mode == CommentOff:
		return ""
	case mode == CommentPlain:
		return cut(comment, maxComment)
	}
	const prefix, kept = "sha256:", 8
	sum := sha256.Sum256([]byte(comment))
	var hash [len(prefix) + 2*kept]byte
	hex.Encode(hash[copy(hash[:], prefix):], sum[:kept])
	return string(hash[:])
}
