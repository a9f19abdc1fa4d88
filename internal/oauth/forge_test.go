package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
)

// changes are claims or headers; nil removes one.
type changes = map[string]any

// forge makes a token with any header and payload. A nil sign means an invalid
// signature.
func forge(header, payload any, sign func(signed []byte) []byte) string {
	part := func(v any) string {
		b, isString := v.(string)
		if !isString {
			encoded, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			b = string(encoded)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(b))
	}
	signed := part(header) + "." + part(payload)
	signature := []byte("no signature")
	if sign != nil {
		signature = sign([]byte(signed))
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func digest(h crypto.Hash, b []byte) []byte {
	hash := h.New()
	hash.Write(b)
	return hash.Sum(nil)
}

func signPKCS1(key *rsa.PrivateKey, h crypto.Hash) func([]byte) []byte {
	return func(b []byte) []byte {
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, h, digest(h, b))
		if err != nil {
			panic(err)
		}
		return signature
	}
}

func signPSS(key *rsa.PrivateKey, h crypto.Hash) func([]byte) []byte {
	return func(b []byte) []byte {
		signature, err := rsa.SignPSS(rand.Reader, key, h, digest(h, b), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			panic(err)
		}
		return signature
	}
}

func signECDSA(key *ecdsa.PrivateKey, h crypto.Hash) func([]byte) []byte {
	return func(b []byte) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(h, b))
		if err != nil {
			panic(err)
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		signature := make([]byte, 2*size)
		r.FillBytes(signature[:size])
		s.FillBytes(signature[size:])
		return signature
	}
}

func signHMAC(secret []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		mac := hmac.New(crypto.SHA256.New, secret)
		mac.Write(b)
		return mac.Sum(nil)
	}
}

func with(base map[string]any, changes map[string]any) map[string]any {
	all := maps.Clone(base)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// checkError also checks that the error does not quote the token.
func checkError(t *testing.T, err, want error, raw string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if err == nil {
		return
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

// respelled changes padding bits of the last character, which gives another spelling of
// the same signature.
func respelled(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + alphabet[last^1:last^1+1]
}
