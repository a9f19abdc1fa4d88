package sanitize

const (
	// minPlain is how long a token is at least, in bytes. An encoding of one is longer.
	minPlain = 3 + minSecret
	// minPacked is how many characters of base64 a token has at least.
	minPacked = (minPlain*8 + 5) / 6
	// minHex is how many hexadecimal digits a token has at least.
	minHex = 2 * minPlain
	// minCut is how much of a token must be seen before the cut to know it, in bytes.
	minCut = 4
)

// packing is an encoding that turns every text into letters and digits.
type packing struct {
	kind    kind
	offsets int // at which a character may begin
	least   int // characters of a token
}

var (
	base64 = packing{kindPacked, 4, minPacked}
	hex    = packing{kindHex, 2, minHex}
)

// digits are the values of characters in base64, and hexDigits in hexadecimal.
var digits, hexDigits = func() (packed, hexadecimal [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(alphabet) {
		packed[alphabet[i]] = byte(i)
	}
	packed['-'], packed['_'] = 62, 63
	for c := range hexadecimal {
		hexadecimal[c] = 0xff // makes the byte implausible
	}
	for i := range 16 {
		hexadecimal["0123456789abcdef"[i]] = byte(i)
		hexadecimal["0123456789ABCDEF"[i]] = byte(i)
	}
	return packed, hexadecimal
}()

// plausible are the bytes of text in which a secret may be encoded, also in UTF-16.
var plausible = func() (table [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		table[c] = true
	}
	for _, c := range []byte("\x00\t\r\n") {
		table[c] = true
	}
	return table
}()

// length returns how many bytes so many characters encode.
func (p *packing) length(chars int) int {
	if p.offsets == 2 {
		return chars / 2
	}
	return chars * 6 / 8
}

// char returns the index of the first character of a byte.
func (p *packing) char(k int) int {
	if p.offsets == 2 {
		return 2 * k
	}
	return k/3*4 + k%3
}

// byteAt decodes byte k of the characters.
func byteAt[T text](p *packing, chars T, k int) byte {
	if p.offsets == 2 {
		return hexDigits[chars[2*k]]<<4 | hexDigits[chars[2*k+1]]
	}
	i := k/3*4 + k%3
	left, right := digits[chars[i]], digits[chars[i+1]]
	switch k % 3 {
	case 0:
		return left<<2 | right>>4
	case 1:
		return left<<4 | right>>2
	}
	return left<<6 | right
}

// nextText returns the next part of what characters encode, from byte k on, that is text
// and at least so long. It returns an empty range if there is none. It looks at the last
// byte of a possible part first, so that it skips most of what is not text.
func nextText[T text](p *packing, chars T, k, least int) (start, end int) {
	size := p.length(len(chars))
	for k+least <= size {
		last := k + least - 1
		for last >= k && plausible[byteAt(p, chars, last)] {
			last--
		}
		if last >= k {
			k = last + 1
			continue
		}
		end := k + least
		for end < size && plausible[byteAt(p, chars, end)] {
			end++
		}
		return k, end
	}
	return size, size
}

// mayHold reports whether characters of base64 may encode a secret.
func mayHold[T text](chars T) bool {
	for _, p := range []*packing{&base64, &hex} {
		for offset := range min(p.offsets, len(chars)) {
			if start, end := nextText(p, chars[offset:], 0, minPlain); start < end {
				return true
			}
		}
	}
	return false
}

// findPacked looks for secrets in what a view has in base64 and in hexadecimal.
func (s *scanner) findPacked(depth int) {
	v := &s.views[depth]
	s.eachRun(v, depth, &base64)
	s.eachRun(v, depth, &hex)
	if joined := &s.joined[depth]; joined.join(v) {
		s.work -= len(joined.text)
		s.eachRun(joined, depth, &base64)
		s.eachRun(joined, depth, &hex)
	}
}

// join makes a view of what another one holds in lines of base64 or hexadecimal, without the
// line breaks and the white space around them. It reports whether there is any.
func (v *view) join(other *view) bool {
	v.reset(false)
	text := other.text
	for i := 0; i < len(text); {
		if !is(text[i], kindPacked) {
			i++
			continue
		}
		begin, lines := len(v.text), 0
		for {
			first := i
			for i < len(text) && is(text[i], kindPacked) {
				i++
			}
			v.text = append(v.text, text[first:i]...)
			v.from = append(v.from, other.from[first:i]...)
			lines++
			next, broken := i, false
			for next < len(text) && (text[next] == ' ' || is(text[next], kindBlank) || text[next] == '\r') {
				broken = broken || text[next] == '\n' || text[next] == '\r'
				next++
			}
			if !broken || next == len(text) || !is(text[next], kindPacked) {
				break
			}
			i = next
		}
		switch cut := other.endsCut(i); {
		case lines == 1 || len(v.text)-begin < minPacked && !cut:
			v.text, v.from = v.text[:begin], v.from[:begin]
		case cut:
			v.cut = true
		default:
			v.add(' ', other.from[i-1])
		}
	}
	return len(v.text) > 0
}

// eachRun decodes each run of characters of a view that is long enough.
func (s *scanner) eachRun(v *view, depth int, p *packing) {
	for i := 0; i < len(v.text); i++ {
		if !is(v.text[i], p.kind) {
			continue
		}
		start := i
		for i < len(v.text) && is(v.text[i], p.kind) {
			i++
		}
		switch {
		case v.endsCut(i):
			s.decodeRun(v, depth, p, start, i, minCut)
		case i-start >= p.least:
			s.decodeRun(v, depth, p, start, i, minPlain)
		}
	}
}

// decodeRun looks for secrets in what a run encodes, from every character on at which an
// encoding may have begun. If it was cut, the last part may be as short as least.
func (s *scanner) decodeRun(v *view, depth int, p *packing, start, end, least int) {
	child := &s.views[depth+1]
	for offset := range min(p.offsets, end-start) {
		chars, from := v.text[start+offset:end], v.from[start+offset:end]
		size := p.length(len(chars))
		for first, last := nextText(p, chars, 0, least); first < last; first, last = nextText(p, chars, last, least) {
			if last-first < minPlain && last < size {
				continue // only the end was cut
			}
			child.reset(v.endsCut(end) && last == size)
			for k := first; k < last; k++ {
				i, c := p.char(k), byteAt(p, chars, k)
				child.add(c, span{start: from[i].start, end: from[i+1].end, tail: c})
			}
			s.look(depth + 1)
		}
	}
}

// userAndPassword reports whether base64 starts as Basic credentials do: with a name and
// a colon.
func userAndPassword(chars []byte) bool {
	const longest = 256 // of the name
	for k := range min(base64.length(len(chars)), longest) {
		c := byteAt(&base64, chars, k) // '.' and '~' decode to zeros, which does not matter
		if c == ':' || !plausible[c] {
			return c == ':'
		}
	}
	return false
}
