package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ID identifies a personal access token without revealing it: the SHA-256 of the
// token's whole value. The Token Management API calls the same 32 bytes, in
// lower-case hexadecimal, token_id. An ID is not a secret: Databricks shows it in
// its UI and its audit events, and it is the hash of 128 random bits.
type ID [sha256.Size]byte

// IDOf returns the ID of a token value. The value is hashed as is, without trimming
// or case folding, because the workspace does neither.
func IDOf(value string) ID {
	// Values that passed the shape check fit the buffer. It keeps the copy of the
	// secret on the stack and the hot path free of allocations.
	var buf [maxPATLength]byte
	if len(value) <= len(buf) {
		return sha256.Sum256(buf[:copy(buf[:], value)])
	}
	return sha256.Sum256([]byte(value))
}

// ParseID parses the 64 hexadecimal digits that Databricks shows as a token's ID. Its
// errors never quote the input, which may be a token pasted by mistake.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, fmt.Errorf("a token id has %d hexadecimal digits, got %d characters", hex.EncodedLen(len(id)), len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("a token id has hexadecimal digits only")
	}
	return id, nil
}

// String returns the 64 lower-case hexadecimal digits that Databricks shows.
func (id ID) String() string {
	var text [2 * len(id)]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// IsZero reports whether the ID is unset.
func (id ID) IsZero() bool { return id == ID{} }
