package usage

import (
	"crypto/sha256"
	"encoding/hex"
)

// tokenKey is a token's id in memory. Elsewhere it is hexadecimal text.
type tokenKey [sha256.Size]byte

func (k tokenKey) String() string { return hex.EncodeToString(k[:]) }

// keyOf parses a token's id: 64 lower-case hexadecimal digits. Being strict keeps a
// token's value out if a caller ever confuses the two.
func keyOf(id string) (key tokenKey, ok bool) {
	if len(id) != 2*len(key) {
		return key, false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return key, false
		}
	}
	_, err := hex.Decode(key[:], []byte(id))
	return key, err == nil
}

// isID reports whether s is a token's id.
func isID(s string) bool {
	_, ok := keyOf(s)
	return ok
}
