package usage

import (
	"crypto/sha256"
	"encoding/hex"
)

// tokenKey is a token's id as it is kept; outside it is text.
type tokenKey [sha256.Size]byte

func (k tokenKey) String() string { return hex.EncodeToString(k[:]) }

// keyOf reads a token's id, which has 64 lower-case hexadecimal digits. That is
// what keeps a token's value out, should a caller ever mistake one for the other.
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

// isID reports whether s is the text of a token's id.
func isID(s string) bool {
	_, ok := keyOf(s)
	return ok
}
