package sanitize

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// minWrap is the least length of lines of base64 that are wrapped. MIME wraps after
	// 76 characters, PEM after 64.
	minWrap = 60
)

// reading says which escapes of a view to undo.
type reading struct {
	// lead is the only one of leads to undo, 0 for all kinds.
	lead byte
	// whole leaves alone what became an escape only by undoing another one behind its first
	// character.
	whole bool
}

// seen says which escapes of a view were undone.
type seen struct {
	changed bool
	broken  bool // some were no escapes before others were undone
	leads   [len(leads)]bool
}

// leads are the first characters of escapes, and two that stand for others: for characters
// that are not ASCII, and for the line breaks of quoted-printable.
const (
	leads  = `%\&=` + odd + breaks
	odd    = "\x80"
	breaks = "\n"
)

func (found *seen) odd(k kind) {
	if k&kindOdd != 0 {
		found.leads[strings.IndexByte(leads, odd[0])] = true
	}
}

// unescapeAll looks at what a view encodes: at all escapes undone at once, which is nearly
// always right, and then at other readings, if there are escapes of several kinds. What
// looks like an escape may be what happens to stand before a secret, and would swallow the
// first character of that, as =64 in q=6461%37069….
func (s *scanner) unescapeAll(depth int) {
	found := s.unescape(depth, reading{})
	if !found.changed {
		return
	}
	s.look(depth + 1)
	if s.alternative {
		return
	}
	s.alternative = true
	defer func() { s.alternative = false }()
	several := 0
	for _, undone := range found.leads {
		if undone {
			several++
		}
	}
	for i, undone := range found.leads {
		if several > 1 && undone && s.unescape(depth, reading{lead: leads[i]}).changed {
			s.look(depth + 1)
		}
	}
	if found.broken && s.unescape(depth, reading{whole: true}).changed {
		s.look(depth + 1)
	}
}

// unescape undoes one layer of escapes in a view: percent-encoding (any number of layers of
// it), those of JSON and of programming languages, HTML's, and quoted-printable. It leaves
// out invisible characters, which would break a secret apart, and puts letters in the place
// of others that only look different, such as those of full width. The result is the next
// view.
//
// Only escapes of ASCII are undone, as secrets are ASCII. The rest stays, so that what
// only looks like an escape, such as %da in %dapi, hides nothing.
func (s *scanner) unescape(depth int, as reading) (found seen) { //nolint:funlen // one pass, whose cases share its state
	v, to := &s.views[depth], &s.views[depth+1]
	to.reset(v.cut)
	text := v.text
	line := 0         // characters of base64 up to here
	before := byte(0) // the last character of an escape that left nothing
	for i := 0; i < len(text); {
		c := text[i]
		k := kinds[c]
		if k&(kindEscape|kindOdd) == 0 || k&kindEscape != 0 && !as.undoes(c) {
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
			found.changed = true
			i++
			continue
		}
		line = 0
		if v.cut && unfinished(text[i:]) {
			found.changed = true
			return found
		}
		r, size, known := decode(text[i:])
		if known && size > 1 && k&kindEscape != 0 {
			if r == nothing && c == '=' {
				c = breaks[0]
			} else if as.lead == breaks[0] {
				to.text, to.from = append(to.text, c), append(to.from, v.from[i])
				i++
				continue
			}
			found.leads[strings.IndexByte(leads, c)] = true
			if v.from[i].plain() && !v.from[i+size-1].plain() {
				found.broken = true
				if as.whole {
					to.add(' ', v.from[i])
					i++
					continue
				}
			}
		}
		from := span{start: v.from[i].start, before: before}
		if size > 0 {
			from.end, from.tail = v.from[i+size-1].end, text[i+size-1]
		}
		plain := plainOf(r)
		switch {
		case known && (r < 0 || Invisible(r)):
			found.changed, before = true, text[i+size-1]
			found.odd(k)
		case known && r < utf8.RuneSelf:
			found.changed = found.changed || size > 1
			to.add(byte(r), from)
			before = 0
		case known && len(plain) > 0:
			found.changed, before = true, 0
			found.odd(k)
			for _, c := range plain {
				to.add(c, from)
			}
		default:
			size = max(size, 1)
			to.text = append(to.text, text[i:i+size]...)
			to.from = append(to.from, v.from[i:i+size]...)
		}
		i += size
	}
	return found
}

// undoes reports whether an escape with a first character may have to be undone.
func (as reading) undoes(c byte) bool {
	return as.lead == 0 || as.lead == c || as.lead == breaks[0] && c == '='
}

// plain reports whether a byte stands in the source as it is.
func (s span) plain() bool { return s.end-s.start == 1 }

// plainOf returns the ASCII text for which a character stands, which only looks different,
// nothing if it does not.
func plainOf(r rune) []byte {
	if r < utf8.RuneSelf || r == ellipsis {
		return nil
	}
	var encoded [utf8.UTFMax]byte
	plain := norm.NFKC.Properties(encoded[:utf8.EncodeRune(encoded[:], r)]).Decomposition()
	for _, c := range plain {
		if c >= utf8.RuneSelf {
			return nil
		}
	}
	return plain
}

// ellipsis is the character of a [Mark], which stands for three dots.
const ellipsis = '\u2026'

// Invisible reports whether a character cannot be seen and is no white space, or changes
// how the text around it is shown.
func Invisible(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	case r == 0x2800: // a letter without a shape
		return true
	}
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
