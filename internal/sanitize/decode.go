package sanitize

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// maxEscape is the longest part of most escapes that the cut may leave, in bytes.
const maxEscape = 12

// nothing is what an escape stands for that is only there for the layout.
const nothing = -1

// decode decodes as [decodeOne] does, and takes together what are the bytes of one character
// in UTF-8, or the halves of one in UTF-16.
func decode(text []byte) (r rune, size int, known bool) {
	r, size, known = decodeOne(text)
	if !known || size == 1 || r < utf8.RuneSelf {
		return r, size, known
	}
	if utf16.IsSurrogate(r) {
		low, more, known := rune(0), 0, false
		if size < len(text) && text[size] == text[0] {
			low, more, known = decodeOne(text[size:])
		}
		if both := utf16.DecodeRune(r, low); known && both != utf8.RuneError {
			return both, size + more, true
		}
		return 0, 0, false
	}
	if !isByte(text, size) {
		return r, size, true
	}
	var encoded [utf8.UTFMax]byte
	encoded[0] = byte(r)
	for n, end := 1, size; n < len(encoded) && end < len(text) && text[end] == text[0]; n++ {
		b, more, known := decodeOne(text[end:])
		if !known || b < utf8.RuneSelf || !isByte(text[end:], more) {
			break
		}
		encoded[n] = byte(b)
		end += more
		if r, length := utf8.DecodeRune(encoded[:n+1]); r != utf8.RuneError && length == n+1 {
			return r, end, true
		}
	}
	return 0, 0, false
}

// isByte reports whether an escape of a known size stands for a byte, and not for a
// character.
func isByte(escape []byte, size int) bool {
	switch escape[0] {
	case '=':
		return true
	case '%':
		return escape[1]|0x20 != 'u'
	case '\\':
		c := escape[bytes.LastIndexByte(escape[:size], '\\')+1]
		return c == 'x' && escape[size-1] != '}' || '0' <= c && c <= '3'
	}
	return false
}

// decodeOne decodes the escape, the control character or the character that a text starts
// with. It returns how long it is, and false for what is not an escape: then the size is
// that of a part that need not be looked at again, or 0.
func decodeOne(text []byte) (r rune, size int, known bool) {
	switch c := text[0]; {
	case c == '%':
		return decodePercent(text)
	case c == '=':
		return decodePrintable(text)
	case c == '\\':
		return decodeBackslash(text)
	case c == '&':
		return decodeEntity(text)
	case c < utf8.RuneSelf:
		return rune(c), 1, true
	}
	r, size = utf8.DecodeRune(text)
	return r, size, r != utf8.RuneError
}

// decodePercent decodes %64, %2564, %252564 and so on, and %u0064.
func decodePercent(text []byte) (rune, int, bool) {
	if len(text) > 1 && text[1]|0x20 == 'u' {
		return decodeDigits(text, 2, 4, 4)
	}
	i := 1
	for i+3 < len(text) && text[i] == '2' && text[i+1] == '5' && is(text[i+2], kindHex) && is(text[i+3], kindHex) {
		i += 2
	}
	return decodeDigits(text, i, 2, 2)
}

// decodePrintable decodes =64, and the line break that quoted-printable adds, which may have
// white space in front.
func decodePrintable(text []byte) (rune, int, bool) {
	i := 1
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	switch {
	case i+1 < len(text) && text[i] == '\r' && text[i+1] == '\n':
		return nothing, i + 2, true
	case i < len(text) && (text[i] == '\n' || text[i] == '\r'):
		return nothing, i + 1, true
	}
	return decodeDigits(text, 1, 2, 2)
}

// decodeBackslash decodes \u0064, \u{64}, \U00000064, \x64 and \144, after any number of
// backslashes. Other backslashes only quote what follows, apart from those that stand for
// white space.
func decodeBackslash(text []byte) (rune, int, bool) {
	i := 1
	for i < len(text) && text[i] == '\\' {
		i++
	}
	if i == len(text) {
		return 0, i, false
	}
	c := text[i]
	for c == 'u' && i+1 < len(text) && text[i+1] == 'u' { // as Java allows
		i++
	}
	switch c {
	case 'n':
		return '\n', i + 1, true
	case 'r':
		return '\r', i + 1, true
	case 't':
		return '\t', i + 1, true
	case 'u', 'x', 'U':
		if i+1 < len(text) && text[i+1] == '{' {
			r, size, known := decodeDigits(text, zeros(text, i+2), 1, 7)
			if known && size < len(text) && text[size] == '}' {
				return r, size + 1, true
			}
			return 0, i, false
		}
		width := map[byte]int{'u': 4, 'x': 2, 'U': 8}[c]
		r, size, known := decodeDigits(text, i+1, width, width)
		if !known || c == 'x' && r >= utf8.RuneSelf {
			return 0, i, false
		}
		return r, size, true
	case '0', '1', '2', '3':
		if i+2 < len(text) && '0' <= text[i+1] && text[i+1] <= '7' && '0' <= text[i+2] && text[i+2] <= '7' {
			return rune(text[i]-'0')<<6 | rune(text[i+1]-'0')<<3 | rune(text[i+2]-'0'), i + 3, true
		}
		return 0, i, false
	case '%', '=', '&': // what is quoted will be seen when these are undone
		return 0, i, false
	}
	if c >= utf8.RuneSelf { // it may stand for one of the above
		return 0, i, false
	}
	return nothing, i, true
}

// decodeEntity decodes &#100; &#x64; and names. The semicolon may be missing.
func decodeEntity(text []byte) (rune, int, bool) {
	if len(text) < 3 {
		return 0, 0, false
	}
	if text[1] != '#' {
		return decodeName(text)
	}
	const most = 7 // digits of a character, any number of zeros apart
	r, size, known := rune(0), 0, false
	if text[2]|0x20 == 'x' {
		r, size, known = decodeDigits(text, zeros(text, 3), 1, most)
	} else {
		start := zeros(text, 2)
		for size = start; size < len(text) && size-start < most && '0' <= text[size] && text[size] <= '9'; size++ {
			r, known = r*10+rune(text[size]-'0'), true
		}
	}
	switch {
	case !known:
		return 0, 0, false
	case size == len(text):
	case text[size] == ';':
		size++
	case r < ' ' && is(text[size], kindEscape) && !bytes.HasPrefix(text[size:], []byte("&#")): // more digits may follow when these are undone
		return 0, 0, false
	}
	return r, size, true
}

// zeros skips zeros before other digits, from i on.
func zeros(text []byte, i int) int {
	for i+1 < len(text) && text[i] == '0' && is(text[i+1], kindHex) {
		i++
	}
	return i
}

// decodeDigits decodes at least least and at most most hexadecimal digits from i on. The
// size that it returns includes what is before them.
func decodeDigits(text []byte, i, least, most int) (r rune, size int, known bool) {
	start := i
	for i < len(text) && i-start < most && is(text[i], kindHex) {
		r = r<<4 | rune(hexDigits[text[i]])
		i++
	}
	if i-start < least || r < 0 {
		return 0, 0, false
	}
	return r, i, true
}

// unfinished reports whether the cut may have taken the rest of an escape.
func unfinished(text []byte) bool {
	switch text[0] {
	case '&', '=': // these have no greatest length
		if lacksEnd(text) {
			return true
		}
	}
	if len(text) > maxEscape {
		return false
	}
	for _, c := range text[1:] {
		if !is(c, kindHex) && !is(c, kindEscape) && bytes.IndexByte([]byte("#xuU{"), c) < 0 {
			return false
		}
	}
	_, size, known := decode(text)
	return !known || size == len(text) && text[0] != '%' && text[0] != '='
}

// lacksEnd reports whether a text is the beginning of an entity, or of the line break of
// quoted-printable.
func lacksEnd(text []byte) bool {
	i := 1
	switch {
	case text[0] == '=':
		for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r') {
			i++
		}
	case i < len(text) && text[i] != '#':
		return isNameCut(text[i:])
	default:
		i++
		for i < len(text) && (is(text[i], kindHex) || i == 2 && text[i]|0x20 == 'x') {
			i++
		}
	}
	return i >= len(text)
}
