package scopes

import (
	"strings"
	"unicode/utf8"
)

// dataSlash stands for a slash that is data inside a segment. It is unambiguous
// because decode refuses control characters.
const dataSlash = "\x01"

// decode decodes the escapes in path, and replaces escaped slashes with slash.
// Escapes that the client sent must be valid (strict). After the first decoding a
// percent sign is usually just a character, as in "100%.csv", so it stays.
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

// unescape decodes the escape at the start of s.
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

// isUnreserved reports whether c is an unreserved character of RFC 3986, section
// 2.3: its escape and the character itself are equivalent.
func isUnreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}

// checkText refuses control characters and invalid UTF-8. Overlong encodings, the
// classic way to hide a slash, are always refused. Other invalid bytes are refused
// only if the client sent them (strict): after that, "50%ff" may be a file name.
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

// isOverlong reports whether s starts with a UTF-8 encoding that is longer than
// its character needs.
func isOverlong(s string) bool {
	switch {
	case s[0] == 0xc0 || s[0] == 0xc1:
		return true
	case len(s) < 2:
		return false
	}
	return s[0] == 0xe0 && s[1] < 0xa0 || s[0] == 0xf0 && s[1] < 0x90
}
