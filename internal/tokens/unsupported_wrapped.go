package tokens

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// foundToken is where a text has a token that would be accepted by itself.
type foundToken struct {
	kind       Kind // NoCredential for none
	start, end int
	upper      bool // it is a PAT, but for upper case
}

func (f foundToken) in(text string) string { return text[f.start:f.end] }

// what names the token.
func (f foundToken) what(text string) string {
	if f.kind == PAT {
		return "a personal access token"
	}
	what, _ := issuedBy(f.in(text))
	return what
}

// findToken finds the first token in a text.
func findToken(text string) foundToken {
	for i := 0; i < len(text); {
		if text[i]|0x20 != 'd' && text[i] != 'e' {
			i++
			continue
		}
		found := tokenAt(text, i)
		if found.kind != NoCredential {
			return found
		}
		i = max(i+1, found.end)
	}
	return foundToken{}
}

// tokenAt returns the token that starts at i. Where it is none, the end is that of what
// need not be looked at again.
func tokenAt(text string, i int) foundToken {
	starts := i == 0 || !isTokenByte(text[i-1])
	switch {
	case strings.HasPrefix(text[i:], patPrefix):
	case starts && len(text)-i >= len(patPrefix) && strings.EqualFold(text[i:i+len(patPrefix)], patPrefix):
	case starts && strings.HasPrefix(text[i:], "eyJ"):
		end := i
		for end < len(text) && (isTokenByte(text[end]) || text[end] == '.') {
			end++
		}
		if jwt := strings.TrimRight(text[i:end], "."); IsJWT(jwt) {
			return foundToken{kind: JWT, start: i, end: i + len(jwt)}
		}
		return foundToken{end: end}
	default:
		return foundToken{}
	}
	end := i + len(patPrefix)
	for end < len(text) && isTokenByte(text[end]) {
		end++
	}
	if end-i < minPATLength {
		return foundToken{end: end}
	}
	return foundToken{kind: PAT, start: i, end: end, upper: text[i:i+len(patPrefix)] != patPrefix}
}

// describeWrapped describes a header that holds a token in a form in which it is not
// accepted, or an OAuth access token where none is.
func describeWrapped(header string, oauth bool) (Unsupported, bool) {
	at := findToken(header)
	if at.kind == NoCredential {
		return Unsupported{}, false
	}
	if at.kind == JWT && !oauth {
		return describeJWT(at.in(header)), true
	}
	if told, hidden := describeMasked(header[at.end:]); hidden && at.end < len(header) {
		return told, true
	}
	return Unsupported{at.what(header) + " " + at.flaw(header), sendAsIs}, true
}

// flaw says what is wrong with the text around a token.
func (f foundToken) flaw(header string) string {
	before, after := header[:f.start], header[f.end:]
	words := strings.ToLower(before)
	switch {
	case findToken(after).kind != NoCredential:
		return "and another one in one header"
	case endsInAny(before, quotes) || startsWithAny(after, quotes):
		return "in quotation marks"
	case strings.Contains(before, "%"):
		return "with percent-encoding before it"
	case isBreak(after):
		return "with white space or a line break after it"
	case after != "":
		return "with other characters after it, which may be invisible"
	case before == "":
		if f.upper {
			return "in upper case, and without the word Bearer before it"
		}
		return "without the word Bearer before it"
	case f.upper:
		return "in upper case"
	case strings.Count(words, "bearer") > 1:
		return "with the word Bearer twice"
	case words == "bearer":
		return "without a space after the word Bearer"
	case trimSpace(words) == "bearer" && words != "bearer ":
		return "with more or other white space than one space before it"
	case words == "bearer ":
		return "that is longer than any"
	case strings.HasPrefix(words, "bearer"):
		return "with other characters between the word Bearer and it"
	}
	return "after a word other than Bearer"
}

var quotes = []string{`"`, "'", "`", `\`, "\u2018", "\u2019", "\u201c", "\u201d", "\u00ab", "\u00bb", "&quot;"}

func endsInAny(s string, ends []string) bool {
	for _, end := range ends {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return false
}

func startsWithAny(s string, starts []string) bool {
	for _, start := range starts {
		// A backslash after a token begins an escape, such as that of a line break.
		if start != `\` && strings.HasPrefix(s, start) {
			return true
		}
	}
	return false
}

// isBreak reports whether a text is white space or an escape for it.
func isBreak(s string) bool {
	return s != "" && strings.Trim(strings.NewReplacer(`\n`, "", `\r`, "", `\t`, "", "%0a", "", "%0A", "", "%0d", "", "%0D", "", "%20", "", "\u00a0", "").Replace(s), " \t\r\n+") == ""
}

// maxEncoded bounds what is decoded to see whether it is a token.
const maxEncoded = 1 << 10

// describeEncoded describes a token that is encoded.
func describeEncoded(value string) (Unsupported, bool) {
	if len(value) > maxEncoded {
		return Unsupported{}, false
	}
	if plain, err := url.PathUnescape(value); err == nil && plain != value {
		if at := findToken(plain); at.kind != NoCredential {
			return Unsupported{at.what(plain) + " in percent-encoding", sendAsIs}, true
		}
	}
	if plain, ok := decodeBase64(value); ok {
		if at := findToken(plain); at.kind != NoCredential {
			return Unsupported{at.what(plain) + " in base64, which belongs after the word Basic only", sendBearer}, true
		}
	}
	return Unsupported{}, false
}

// decodeBase64 decodes every form of base64.
func decodeBase64(s string) (string, bool) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	decoded, err := base64.RawStdEncoding.DecodeString(s)
	return string(decoded), err == nil && len(decoded) > 0
}
