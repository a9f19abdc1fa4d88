package sanitize

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const (
	// maxEscape is the longest part of an escape that the cut may leave, in bytes.
	maxEscape = 12
	// minWrap is the least length of lines of base64 that are wrapped. MIME wraps after
	// 76 characters, PEM after 64.
	minWrap = 60
)

// unescape undoes one layer of escapes in a view, all kinds at once: percent-encoding (any
// number of layers of it), those of JSON and of programming languages, HTML's, and
// quoted-printable. It leaves out invisible characters, which would break a secret apart.
// It reports whether that made a difference. The result is the next view.
//
// Only escapes of ASCII are undone, as secrets are ASCII. The rest stays, so that what
// only looks like an escape, such as %da in %dapi, hides nothing.
func (s *scanner) unescape(depth int) (changed bool) {
	v, to := &s.views[depth], &s.views[depth+1]
	to.reset(v.cut)
	text := v.text
	line := 0         // characters of base64 up to here
	before := byte(0) // the last character of an escape that left nothing
	for i := 0; i < len(text); {
		c := text[i]
		k := kinds[c]
		if k&(kindEscape|kindOdd) == 0 {
			if k&kindPacked != 0 {
				line++
			} else {
				line = 0
			}
			from := v.from[i]
			if before != 0 {
				from.before, before = before, 0
			}
			to.text = append(to.text, c)
			to.from = append(to.from, from)
			i++
			continue
		}
		if (c == '\n' || c == '\r') && line >= minWrap {
			changed = true
			i++
			continue
		}
		line = 0
		if v.cut && len(text)-i <= maxEscape && unfinished(text[i:]) {
			return true
		}
		r, size, known := decode(text[i:])
		switch {
		case known && (r < 0 || invisible(r)):
			changed, before = true, text[i+size-1]
		case known && r < utf8.RuneSelf:
			changed = changed || size > 1
			to.add(byte(r), span{v.from[i].start, v.from[i+size-1].end, text[i+size-1], before})
			before = 0
		default:
			size = max(size, 1)
			to.text = append(to.text, text[i:i+size]...)
			to.from = append(to.from, v.from[i:i+size]...)
		}
		i += size
	}
	return changed
}

// nothing is what an escape stands for that is only there for the layout.
const nothing = -1

// decode decodes the escape, the control character or the character that a text starts
// with. It returns how long it is, and false for what is not an escape: then the size is
// that of a part that need not be looked at again, or 0.
func decode(text []byte) (r rune, size int, known bool) {
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
	r, size, known := decodeDigits(text, i, 2, 2)
	if !known || r < utf8.RuneSelf {
		return r, size, known
	}
	// Only to leave out what is invisible.
	var encoded [utf8.UTFMax]byte
	n, end := 0, 0
	for n < len(encoded) && end+i+2 <= len(text) && text[end] == '%' {
		b, size, known := decodeDigits(text[end:], i, 2, 2)
		if !known || b < utf8.RuneSelf {
			break
		}
		encoded[n] = byte(b)
		n, end = n+1, end+size
		if r, length := utf8.DecodeRune(encoded[:n]); r != utf8.RuneError && length == n {
			return r, end, true
		}
	}
	return 0, 0, false
}

// decodePrintable decodes =64, and the line break that quoted-printable adds.
func decodePrintable(text []byte) (rune, int, bool) {
	switch {
	case len(text) > 2 && text[1] == '\r' && text[2] == '\n':
		return nothing, 3, true
	case len(text) > 1 && text[1] == '\n':
		return nothing, 2, true
	}
	r, size, known := decodeDigits(text, 1, 2, 2)
	if r >= utf8.RuneSelf {
		return 0, 0, false
	}
	return r, size, known
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
	switch c := text[i]; c {
	case 'n':
		return '\n', i + 1, true
	case 'r':
		return '\r', i + 1, true
	case 't':
		return '\t', i + 1, true
	case 'u', 'x', 'U':
		if i+1 < len(text) && text[i+1] == '{' {
			r, size, known := decodeDigits(text, i+2, 1, 6)
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
	return nothing, i, true
}

// entities are those that may stand in a credential or start another escape.
var entities = []struct {
	name string
	char rune
}{
	{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"percnt", '%'}, {"bsol", '\\'}, {"num", '#'},
	{"equals", '='}, {"plus", '+'}, {"sol", '/'}, {"colon", ':'}, {"lowbar", '_'}, {"hyphen", '-'}, {"dash", '-'}, {"period", '.'},
}

// decodeEntity decodes &#100; &#x64; and some names. The semicolon may be missing.
func decodeEntity(text []byte) (rune, int, bool) {
	if len(text) > 2 && text[1] == '#' {
		r, size, known := rune(0), 0, false
		if text[2]|0x20 == 'x' {
			r, size, known = decodeDigits(text, 3, 1, 8)
		} else {
			for size = 2; size < len(text) && size < 10 && '0' <= text[size] && text[size] <= '9'; size++ {
				r, known = r*10+rune(text[size]-'0'), true
			}
			if !known {
				return 0, 0, false
			}
		}
		switch {
		case !known || size == len(text):
		case text[size] == ';':
			size++
		case is(text[size], kindEscape): // more digits may follow when these are undone
			return 0, 0, false
		}
		return r, size, known
	}
	for _, entity := range entities {
		if rest, found := bytes.CutPrefix(text[1:], []byte(entity.name)); found && len(rest) > 0 && rest[0] == ';' {
			return entity.char, len(entity.name) + 2, true
		}
	}
	return 0, 0, false
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
	for _, c := range text[1:] {
		if !is(c, kindHex) && !is(c, kindEscape) && bytes.IndexByte([]byte("#xuU{"), c) < 0 {
			return false
		}
	}
	_, size, known := decode(text)
	return !known || size == len(text) && text[0] != '%' && text[0] != '='
}

// invisible reports whether a character cannot be seen and is no white space, or changes
// how the text around it is shown.
func invisible(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0, 0x180b <= r && r <= 0x180f:
		return true // letters and marks without a shape
	}
	return !unicode.IsGraphic(r)
}
