package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// thumbprint identifies a key by its content (RFC 7638).
type thumbprint [32]byte

// publicKey is one published signing key.
type publicKey struct {
	jwk   jose.JSONWebKey
	print thumbprint
}

const (
	// RFC 7518, section 3.3, requires 2048 bits; more than 8192 would only make
	// signatures expensive to verify.
	minRSABits = 2048
	maxRSABits = 8192
)

// newPublicKey parses a JWK. It reports false for a key that is not a public signing
// key, has no ID, is too weak, or is too expensive to use.
func newPublicKey(raw []byte) (publicKey, bool) {
	var key publicKey
	if key.jwk.UnmarshalJSON(raw) != nil || key.jwk.KeyID == "" || !key.jwk.Valid() {
		return key, false
	}
	if key.jwk.Use != "" && key.jwk.Use != "sig" {
		return key, false
	}
	switch public := key.jwk.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key, false
		}
	case *ecdsa.PublicKey:
	default:
		return key, false // a secret, a private key, or a type that no supported algorithm uses
	}
	sum, err := key.jwk.Thumbprint(crypto.SHA256)
	if err != nil || len(sum) != len(key.print) {
		return key, false
	}
	copy(key.print[:], sum)
	return key, true
}

// verify returns the signed payload. go-jose checks that the algorithm suits the
// type of the key; the key's own alg restricts it further (RFC 7517, section 4.4).
func (k *publicKey) verify(raw string, algorithm jose.SignatureAlgorithm) (payload []byte, ok bool) {
	if k.jwk.Algorithm != "" && k.jwk.Algorithm != string(algorithm) {
		return nil, false
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return nil, false
	}
	payload, err = jws.Verify(k.jwk.Key)
	return payload, err == nil
}
