// Package seal gives what a fleet keeps in a store names that mean nothing and values that
// nobody else can read or make.
package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// minKey is the least length of a key, in bytes.
const minKey = 32

// Keys are the fleet's keys: the first one seals and names, all of them open.
type Keys struct{ all []key }

type key struct {
	id    uint32 // tells which key opens a value; it is derived, and says nothing of the key
	value []byte // for AES-256-GCM
	name  []byte // for HMAC-SHA-256
}

// ReadKeys reads one or two keys, each as base64 or hex of at least 32 bytes. Its errors never
// quote them.
func ReadKeys(texts []string) (*Keys, error) {
	if len(texts) == 0 {
		return nil, errors.New("there is no key")
	}
	keys := new(Keys)
	for i, text := range texts {
		secret, ok := decode(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("key %d is neither base64 nor hex; make one with openssl rand -base64 32", i+1)
		}
		if len(secret) < minKey {
			return nil, fmt.Errorf("key %d has %d bytes, and needs %d; make one with openssl rand -base64 32", i+1, len(secret), minKey)
		}
		k, err := derive(secret)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		for j, other := range keys.all {
			if other.id == k.id {
				return nil, fmt.Errorf("keys %d and %d are the same; keep one", j+1, i+1)
			}
		}
		keys.all = append(keys.all, k)
	}
	return keys, nil
}

func decode(text string) ([]byte, bool) {
	if secret, err := hex.DecodeString(text); err == nil {
		return secret, true
	}
	text = strings.TrimRight(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if secret, err := encoding.DecodeString(text); err == nil {
			return secret, true
		}
	}
	return nil, false
}

// derive makes keys for different uses from one secret.
func derive(secret []byte) (k key, err error) {
	var id []byte
	for _, use := range []struct {
		to   *[]byte
		info string
		size int
	}{{&id, "scopegate fleet id", 4}, {&k.value, "scopegate fleet value", 32}, {&k.name, "scopegate fleet name", 32}} {
		if *use.to, err = hkdf.Key(sha256.New, secret, nil, use.info, use.size); err != nil {
			return key{}, err
		}
	}
	k.id = binary.BigEndian.Uint32(id)
	return k, nil
}
