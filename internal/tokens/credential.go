package tokens

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Kind is the type of a credential, judged by its shape alone.
type Kind uint8

const (
	// NoCredential is the zero Kind: no credential was sent, or none that is usable.
	NoCredential Kind = iota
	// PAT is a Databricks personal access token, including one that an admin minted on
	// behalf of a service principal.
	PAT
	// JWT is an OAuth, Entra ID or federation access token. It has no token ID.
	JWT
)

// Credential is the one credential that a request carries. It holds only what is
// needed to judge it, not the value.
type Credential struct {
	Kind Kind
	ID   ID // of a PAT
}

// Errors of [ParseAuthorization]. They never quote the header. [Describe] says more of an
// unsupported credential.
var (
	ErrNoCredential          = errors.New("no credential was sent")
	ErrUnsupportedCredential = errors.New("the credential is of an unsupported type")
	ErrSeveralCredentials    = errors.New("more than one Authorization header was sent")
)

const (
	patPrefix = "dapi"

	// minPATLength and maxPATLength bound what may be looked up. Known values are
	// "dapi" and 32 hexadecimal digits, on some clouds followed by "-2" or "-3". The
	// bounds are wider, so that a longer form needs no release of ours.
	minPATLength = len(patPrefix) + 16
	maxPATLength = len(patPrefix) + 128

	// maxBasicLength bounds the base64 text of "token:" and a PAT.
	maxBasicLength = 4 * (len("token:") + maxPATLength + 2) / 3

	// maxJWTLength bounds what is parsed as a JWT.
	maxJWTLength = 16 << 10
)

// ParseAuthorization parses the values of all Authorization headers of a request. It
// accepts exactly one value, either "Bearer <token>" or "Basic <base64 of
// token:PAT>", which .netrc files and older tools send. The scheme is
// case-insensitive (RFC 9110, section 11.1). Everything else must be exactly as the
// workspace will read it, because the header is forwarded unchanged.
func ParseAuthorization(values []string) (Credential, error) {
	switch len(values) {
	case 0:
		return Credential{}, ErrNoCredential
	case 1:
	default:
		return Credential{}, ErrSeveralCredentials
	}
	scheme, rest, found := strings.Cut(values[0], " ")
	switch {
	case values[0] == "":
		return Credential{}, ErrNoCredential
	case !found:
		return Credential{}, ErrUnsupportedCredential
	case strings.EqualFold(scheme, "Bearer"):
		return parseBearer(rest)
	case strings.EqualFold(scheme, "Basic"):
		return parseBasic(rest)
	}
	return Credential{}, ErrUnsupportedCredential
}

func parseBearer(value string) (Credential, error) {
	switch {
	case isPAT(value):
		return Credential{Kind: PAT, ID: IDOf(value)}, nil
	case IsJWT(value):
		return Credential{Kind: JWT}, nil
	}
	return Credential{}, ErrUnsupportedCredential
}

func parseBasic(encoded string) (Credential, error) {
	if len(encoded) > maxBasicLength {
		return Credential{}, ErrUnsupportedCredential
	}
	// Strict, and without the line breaks that Go's decoder skips: no two decoders
	// may read different tokens from the same text.
	if strings.ContainsAny(encoded, "\r\n") {
		return Credential{}, ErrUnsupportedCredential
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Credential{}, ErrUnsupportedCredential
	}
	// Any other user name would be a password login, which Databricks removed in July
	// 2024.
	value, ok := strings.CutPrefix(string(decoded), "token:")
	if !ok || !isPAT(value) {
		return Credential{}, ErrUnsupportedCredential
	}
	return Credential{Kind: PAT, ID: IDOf(value)}, nil
}

// isPAT reports whether a value may be a personal access token. Only such values
// cause a look-up; everything else is rejected by its shape, which is cheap.
func isPAT(value string) bool {
	if len(value) < minPATLength || len(value) > maxPATLength || value[:len(patPrefix)] != patPrefix {
		return false
	}
	for i := len(patPrefix); i < len(value); i++ {
		if !isTokenByte(value[i]) {
			return false
		}
	}
	return true
}

// IsJWT reports whether a value has the shape of a signed JWT in compact form (RFC
// 7515, section 7.1): three base64url parts, of which the first encodes a JSON
// object and so starts with "eyJ". It accepts at most 16 KiB.
func IsJWT(value string) bool {
	if len(value) > maxJWTLength || !strings.HasPrefix(value, "eyJ") {
		return false
	}
	dots := 0
	for i := range len(value) {
		switch c := value[i]; {
		case c == '.':
			if i == len(value)-1 || value[i-1] == '.' {
				return false
			}
			dots++
		case !isTokenByte(c):
			return false
		}
	}
	return dots == 2
}

// isTokenByte reports whether c is in the base64url alphabet, which includes the
// hexadecimal digits and the hyphen of PATs.
func isTokenByte(c byte) bool { return tokenBytes[c] }

// tokenBytes is a table because every byte of every request's token is checked.
var tokenBytes = func() (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		table[c] = true
	}
	return table
}()
