package sanitize

import (
	"strconv"
	"unicode/utf8"
)

// write returns the source without what is hidden, at most limit bytes long.
func (s *scanner) write(source string, cut bool, limit int, lines bool) string {
	out := s.out[:0]
	changed := cut
	fits := 0          // bytes of the output that leave room for a mark
	hidden := int32(0) // ranges that are open
	for i := 0; i < len(source); {
		if len(out) <= limit-len(Mark) {
			fits = len(out)
		} else if len(out) > limit {
			break
		}
		if s.hidden {
			hidden += s.edges[i]
		}
		if hidden > 0 {
			for i++; i < len(source) && hidden+s.edges[i] > 0; i++ {
				hidden += s.edges[i]
			}
			if !endsInMark(out) {
				out = append(out, Mark...)
			}
			changed = true
			continue
		}
		before := len(out)
		var size int
		out, size = appendSafe(out, source[i:], lines)
		changed = changed || string(out[before:]) != source[i:i+size]
		i += size
	}
	s.out = out
	if !changed {
		return source
	}
	switch {
	case len(out) > limit, cut && len(out)+len(Mark) > limit:
		out = append(out[:fits], Mark...)
	case cut && !endsInMark(out):
		out = append(out, Mark...)
	}
	s.out = out
	if len(out) > limit { // there is no room for a mark
		return ""
	}
	return string(out)
}

// appendSafe appends the character that a text starts with, or what stands for it. It
// returns how long the character is in the text.
func appendSafe(out []byte, text string, lines bool) ([]byte, int) {
	switch c := text[0]; {
	case c >= ' ' && c < 0x7f, lines && is(c, kindBlank):
		return append(out, c), 1
	case c < utf8.RuneSelf:
		return appendEscape(out, rune(c)), 1
	}
	r, size := utf8.DecodeRuneInString(text)
	if Invisible(r) {
		return appendEscape(out, r), size
	}
	return utf8.AppendRune(out, r), size // U+FFFD for what is not UTF-8
}

func endsInMark(out []byte) bool {
	return len(out) >= len(Mark) && string(out[len(out)-len(Mark):]) == Mark
}

// appendEscape appends the name of a character. It ends in a brace, so that its digits do
// not join with what follows.
func appendEscape(out []byte, r rune) []byte {
	switch r {
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	out = append(out, `\u{`...)
	out = strconv.AppendInt(out, int64(r), 16)
	return append(out, '}')
}
