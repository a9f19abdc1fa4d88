package tokens

import (
	"net/url"
	"slices"
	"strings"
)

// CarriesPAT reports whether texts, such as the values of a header, hold a personal access
// token, in a form that [ParseAuthorization] accepts or in one that it does not and a server
// may: among any other words, in base64 or percent-encoding. What a JWT holds does not count.
// It is for requests that need no token, off which one is taken rather than refused.
func CarriesPAT(texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		plain, err := url.PathUnescape(text)
		return holdsPAT(text) || err == nil && plain != text && holdsPAT(plain)
	})
}

func holdsPAT(text string) bool {
	for {
		found := findToken(text)
		switch found.kind {
		case PAT:
			return true
		case NoCredential:
			return encodesPAT(text)
		}
		if encodesPAT(text[:found.start]) {
			return true
		}
		text = text[found.end:]
	}
}

// encodesPAT looks into base64 that begins anywhere, and is broken by anything: decoders skip
// different characters, and one of four bytes is where a group begins.
func encodesPAT(text string) bool {
	encoded := strings.Map(func(c rune) rune {
		if c < 0x80 && isTokenByte(byte(c)) || c == '+' || c == '/' {
			return c
		}
		return -1
	}, text)
	for i := range min(4, len(encoded)) {
		plain, _ := decodeBase64(encoded[i:]) // without the rest of a group
		if findToken(plain).kind == PAT {
			return true
		}
	}
	return false
}
