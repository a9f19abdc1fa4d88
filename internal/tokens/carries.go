package tokens

import (
	"encoding/base64"
	"strings"
)

// CarriesPAT reports whether Authorization headers hold a personal access token, in a form
// that [ParseAuthorization] accepts or in one that it does not and a server may: under
// another scheme, with more space, as a user name or as the password of any user. It is for
// requests that need no token, off which one is taken rather than refused.
func CarriesPAT(values []string) bool {
	for _, value := range values {
		scheme, rest, found := strings.Cut(strings.TrimSpace(value), " ")
		if !found {
			scheme, rest = "", scheme
		}
		rest = strings.Trim(rest, " \t\"")
		if startsPAT(rest) || strings.EqualFold(scheme, "Basic") && inBasic(rest) {
			return true
		}
	}
	return false
}

func startsPAT(value string) bool {
	if len(value) < minPATLength || !strings.EqualFold(value[:len(patPrefix)], patPrefix) {
		return false
	}
	for i := len(patPrefix); i < minPATLength; i++ {
		if !isTokenByte(value[i]) {
			return false
		}
	}
	return true
}

// inBasic reads as much as any decoder would: both alphabets, with and without padding.
func inBasic(encoded string) bool {
	const limit = 4 << 10
	if len(encoded) > limit {
		return false
	}
	encoded = strings.NewReplacer("-", "+", "_", "/", "=", "", " ", "", "\t", "").Replace(encoded)
	decoded, _ := base64.RawStdEncoding.DecodeString(encoded) // up to what is not base64
	user, password, _ := strings.Cut(string(decoded), ":")
	return startsPAT(strings.TrimSpace(user)) || startsPAT(strings.TrimSpace(password))
}
