package sanitize

import (
	"slices"
	"sync"
)

const (
	// minSecret is how many bytes must follow the prefix of a token.
	minSecret = 16
	// minBearer is how long an unknown Bearer token must be to be told from a word.
	minBearer = 16
	// minBasic is how long Basic credentials must be, in base64.
	minBasic = 8
	// maxDepth bounds how many encodings are undone, one around the other.
	maxDepth = 5
	// maxWork bounds the bytes that are looked at, for each byte of the limit. Text that
	// needs more is hidden as a whole. What people send needs less than 4.
	maxWork = 16
)

// scanner finds the secrets in a text.
type scanner struct {
	source string
	edges  []int32 // how many hidden ranges of the source begin at a byte, less those that end
	hidden bool    // there are some

	alternative bool // this is not the first reading of a view
	work        int  // bytes that may still be looked at
	views       [maxDepth + 1]view
	joined      [maxDepth]view // lines of each view
	out         []byte
}

// view is the source with some encodings undone.
type view struct {
	text []byte
	from []span
	cut  bool // what follows was cut

	// What was found last, so that no byte is looked at more than once: the end of a run of
	// characters of tokens, and the end and the last digit of one of credentials.
	token, credential, digit int
}

// span is the part of the source that a byte of a view comes from. What looks like an
// escape may be something else with the first letter of a token, as in %4dapi: tail is the
// last character of the escape that the byte was, before that of one that left nothing.
type span struct {
	start, end   int32
	tail, before byte
}

func (v *view) reset(cut bool) {
	*v = view{text: v.text[:0], from: v.from[:0], cut: cut, digit: -1}
}

func (v *view) add(c byte, from span) {
	v.text = append(v.text, c)
	v.from = append(v.from, from)
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// maxKept bounds the text whose buffers are kept for the next one, in bytes.
const maxKept = 64 << 10

func (s *scanner) release() {
	s.source = ""
	if cap(s.out) <= maxKept && cap(s.edges) <= maxKept {
		scanners.Put(s)
	}
}

func (s *scanner) run(source string, cut bool, limit int) {
	s.source, s.hidden = source, false
	s.work = maxWork * max(1<<10, min(limit, max(len(source), MaxText)))
	if cap(s.edges) <= len(source) {
		s.edges = make([]int32, len(source)+1)
	}
	s.edges = s.edges[:len(source)+1]
	clear(s.edges)
	first := &s.views[0]
	first.reset(cut)
	first.text = append(first.text, source...)
	first.from = slices.Grow(first.from, len(source))[:len(source)]
	for i := range first.from {
		first.from[i] = span{start: int32(i), end: int32(i + 1), tail: source[i]}
	}
	s.look(0)
}

// look finds the secrets in a view and in what it encodes.
func (s *scanner) look(depth int) {
	v := &s.views[depth]
	if s.work -= len(v.text); s.work < 0 {
		s.hideSource(0, len(s.source))
		return
	}
	s.findTokens(v)
	if depth == maxDepth {
		return
	}
	s.findPacked(depth)
	s.unescapeAll(depth)
}

// findTokens hides tokens and credentials.
func (s *scanner) findTokens(v *view) {
	text := v.text
	for i := range text {
		if is(text[i], kindSecond) {
			s.findToken(v, i)
		}
	}
}

// findToken hides the token or credential that has its second letter at i.
func (s *scanner) findToken(v *view, i int) {
	text := v.text
	if i > 0 {
		switch first := text[i-1] | 0x20; {
		case text[i] == '/':
			if text[i-1] == '/' && (i == 1 || text[i-2] == ':') {
				s.hideUser(v, i+1)
			}
			return
		case first == 'b':
			s.hideCredential(v, i)
		default:
			if size := max(prefixAt(text, i, first), prefixAt(text, i, v.from[i-1].tail|0x20)); size > 0 {
				s.hideToken(v, i-1, i+size)
				return
			}
		}
	}
	if size := prefixAt(text, i, v.from[i].before|0x20); size > 0 {
		s.hideToken(v, i, i+size)
	}
}

// hideToken hides a token whose prefix is at the range that is passed.
func (s *scanner) hideToken(v *view, prefix, start int) {
	end := max(start, v.token)
	for end < len(v.text) && is(v.text[end], kindToken) {
		end++
	}
	v.token = end
	if end-start < minSecret && !(v.endsCut(end) && end > start) {
		return
	}
	if !s.literal(v, prefix, start) {
		start = prefix
	}
	s.hideRange(v, start, end)
}

// literal reports whether bytes of a view stand in the source as they are.
func (s *scanner) literal(v *view, start, end int) bool {
	first := v.from[start].start
	return int(v.from[end-1].end-first) == end-start && s.source[first:int(first)+end-start] == string(v.text[start:end])
}

// hideCredential hides what follows the words Basic and Bearer, whose second letter is at
// i.
func (s *scanner) hideCredential(v *view, i int) {
	text := v.text
	basic := hasFold(text[i:], "asic")
	if !basic && !hasFold(text[i:], "earer") {
		return
	}
	start := i + len("asic")
	if !basic {
		start = i + len("earer")
	}
	blank := start
	for start < len(text) && (text[start] == ' ' || text[start] == '+' || text[start] == '\t') {
		start++
	}
	if start == blank {
		return
	}
	end := max(start, v.credential)
	for end < len(text) && is(text[end], kindPacked|kindToken) {
		if '0' <= text[end] && text[end] <= '9' {
			v.digit = end
		}
		end++
	}
	v.credential = end
	cut := v.endsCut(end) && end > start
	if basic {
		known := end-start >= minBasic && userAndPassword(text[start:end])
		for end < len(text) && text[end] == '=' {
			end++
		}
		if cut || known {
			s.hideRange(v, start, end)
		}
		return
	}
	if cut || end-start >= minBearer && v.digit >= start {
		s.hideRange(v, start, end)
	}
}

// hasFold reports whether a text starts with a word in lower case, in any case.
func hasFold(text []byte, word string) bool {
	if len(text) < len(word) {
		return false
	}
	for i := range len(word) {
		if text[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// hideUser hides the user name and the password of a URL whose authority starts at i.
func (s *scanner) hideUser(v *view, i int) {
	at, colon, end := -1, -1, i
loop:
	for ; end < len(v.text); end++ {
		switch c := v.text[end]; c {
		case '@':
			at = end
		case ':':
			colon = end
		case '/', '?', '#', '"', '\'', '<', '>', '\\', ' ', '\n', '\r', '\t':
			break loop
		}
	}
	switch {
	case at >= 0:
		s.hideRange(v, i, at)
	case colon >= 0 && v.endsCut(end) && !allDigits(v.text[colon+1:end]): // the password was cut
		s.hideRange(v, i, end)
	}
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// endsCut reports whether a position is where the source was cut.
func (v *view) endsCut(end int) bool { return v.cut && end == len(v.text) }

// hideRange hides the source of bytes of a view.
func (s *scanner) hideRange(v *view, start, end int) {
	if start >= end {
		return
	}
	last := int(v.from[end-1].end)
	if v.endsCut(end) {
		last = len(s.source)
	}
	s.hideSource(int(v.from[start].start), last)
}

func (s *scanner) hideSource(start, end int) {
	s.hidden = true
	s.edges[start]++
	s.edges[end]--
}
