package sanitize

// kind says what a byte may mean.
type kind uint8

const (
	kindOdd    kind = 1 << iota // must be looked at: control characters and all but ASCII
	kindEscape                  // may start an escape
	kindFirst                   // the first letter of a token's prefix, or of Basic or Bearer
	kindSecond                  // the second one
	kindPacked                  // of base64, in either alphabet
	kindHex                     // a hexadecimal digit
	kindToken                   // may be part of a token
	kindBlank                   // white space that lines may keep
)

var kinds = func() (table [256]kind) {
	add := func(k kind, chars string) {
		for i := range len(chars) {
			table[chars[i]] |= k
		}
	}
	for c := range 256 {
		switch {
		case c < ' ' || c >= 0x7f:
			table[c] |= kindOdd
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			table[c] |= kindPacked | kindToken
		}
	}
	add(kindEscape, `%\&=`)
	add(kindFirst, "bdeBDE/")
	add(kindSecond, "akoyeAKOYE/")
	add(kindPacked, "+/-_")
	add(kindHex, "0123456789abcdefABCDEF")
	add(kindToken, "-_.+~")
	add(kindBlank, "\n\t")
	return table
}()

// maxGap is how much white space [wraps] looks at, in bytes.
const maxGap = 64

func is(c byte, k kind) bool { return kinds[c]&k != 0 }

// ordinary reports whether a text holds nothing that could be a secret or must be escaped.
// It may be wrong in one direction: the text is then scanned for nothing.
func ordinary[T text](s T, lines bool) bool {
	packed := 0 // where the last run of such bytes begins
	before := kind(0)
	for i := range len(s) {
		k := kinds[s[i]]
		if k&kindPacked == 0 {
			if i-packed >= minPacked && mayHold(s[packed:i]) {
				return false
			}
			packed = i + 1
		}
		switch {
		case k&(kindOdd|kindEscape|kindSecond) == 0:
		case k&kindOdd != 0:
			if !lines || k&kindBlank == 0 || s[i] == '\n' && wraps(s, i) {
				return false
			}
		case k&kindEscape != 0:
			if i+2 < len(s) && (s[i] != '=' && s[i] != '%' || is(s[i+1], kindHex) && is(s[i+2], kindHex) || s[i+1]|0x20 == 'u') {
				return false
			}
		case before&kindFirst != 0 && suspicious(s, i):
			return false
		}
		before = k
	}
	return len(s)-packed < minPacked || !mayHold(s[packed:])
}

// wraps reports whether a line break may be part of an encoding: of base64 in lines, or of
// quoted-printable. It looks at a bounded part of the text around.
func wraps[T text](s T, i int) bool {
	before, after := i, i+1
	for before > 0 && i-before < maxGap && isBlank(s[before-1]) {
		before--
	}
	for after < len(s) && after-i < maxGap && isBlank(s[after]) {
		after++
	}
	if i-before == maxGap || after-i == maxGap {
		return true
	}
	if before == 0 || after == len(s) {
		return before > 0 && s[before-1] == '='
	}
	start, end := before, after
	for start > 0 && before-start < minPacked && is(s[start-1], kindPacked) {
		start--
	}
	for end < len(s) && end-after < minPacked && is(s[end], kindPacked) {
		end++
	}
	if start == before || end == after {
		return s[before-1] == '='
	}
	packed := before - start + end - after
	// Where there are more than two lines, one is of nothing else.
	for end < len(s) && end-after < maxGap && (s[end] == ' ' || s[end] == '\t') {
		end++
	}
	return packed >= minPacked || end < len(s) && s[end] == '\n' || end-after >= maxGap
}

func isBlank(c byte) bool { return c == ' ' || is(c, kindBlank) }

// suspicious reports whether s[i] is the second letter of something to look at.
func suspicious[T text](s T, i int) bool {
	first := s[i-1] | 0x20
	switch s[i] {
	case '/':
		return s[i-1] == '/' // of a URL
	case 'e', 'E':
		return first == 'b' && len(s) > i+4 && s[i+1]|0x20 == 'a' // bearer
	case 'a', 'A':
		if first == 'b' {
			return len(s) > i+4 && s[i+1]|0x20 == 's' // basic
		}
	}
	size := prefixAt(s, i, first)
	return size > 0 && len(s) >= i+size+minSecret
}

// text is a string, or the bytes of a view.
type text interface{ ~string | ~[]byte }

// prefixAt returns how many bytes after the first one belong to the prefix of a token
// whose second letter is at i. It returns 0 if there is none. The first letter is passed
// in lower case; prefixes are compared without case, because header names are.
func prefixAt[T text](s T, i int, first byte) int {
	if i+2 >= len(s) {
		return 0
	}
	second, third := s[i]|0x20, s[i+1]|0x20
	switch {
	case first == 'e':
		if second == 'y' && third == 'j' { // a JSON object in base64, the header of a JWT
			return 2
		}
	case first != 'd':
	case second == 'a' && third == 'p' && s[i+2]|0x20 == 'i', // a personal access token
		second == 'k' && third == 'e' && s[i+2]|0x20 == 'a', // these occur inside of clusters
		second == 'o' && third == 's' && s[i+2]|0x20 == 'a',
		second == 'o' && third == 's' && s[i+2]|0x20 == 'e': // an OAuth secret
		return 3
	}
	return 0
}
