package scopes

import (
	"strings"
	"unicode/utf8"
)

// dataSlash stands for a slash that is data inside a segment. Control
// characters never come out of a decoded path, so it cannot be confused.
const dataSlash = "\x01"

// decode replaces the escapes in path, and those of a slash by slash. It is
// strict about the escapes that the client sent. What looks like an escape
// after that is mostly none: "100%.csv" is a good name, so it stays.
func decode(path, slash string, strict bool) (string, error) {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		c, ok := unescape(path[i:])
		switch {
		case !ok && strict:
			return "", errEscape
		case !ok:
			b.WriteByte('%')
			continue
		case c < 0x20 || c == 0x7f:
			return "", errControl
		case c == '/':
			b.WriteString(slash)
		default:
			b.WriteByte(c)
		}
		i += 2
	}
	text := b.String()
	return text, checkText(text, strict)
}

// unescape reads the escape at the beginning of s.
func unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := unhex(s[1])
	low, ok2 := unhex(s[2])
	return high<<4 | low, ok1 && ok2
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// isUnreserved reports whether RFC 3986 lets c stand in a path without an escape
// and without a meaning.
func isUnreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}

// checkText refuses what is not text. Overlong encodings, the classic way to
// hide a slash, are refused always; other bytes that are not UTF-8 only where
// the client sent them, since "50%ff" is a possible name.
func checkText(s string, strict bool) error {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 && (strict || isOverlong(s[i:])):
			return errEncoding
		case 0x80 <= r && r < 0xa0:
			return errControl
		}
		i += n
	}
	return nil
}

// isOverlong reports whether the byte that s begins with opens an encoding
// longer than its character needs.
func isOverlong(s string) bool {
	switch {
	case s[0] == 0xc0 || s[0] == 0xc1:
		return true
	case len(s) < 2:
		return false
	}
	return s[0] == 0xe0 && s[1] < 0xa0 || s[0] == 0xf0 && s[1] < 0x90
}
