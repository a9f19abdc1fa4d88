package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// thumbprint names a key by its content (RFC 7638).
type thumbprint [32]byte

// verifyingKey is one published public key.
type verifyingKey struct {
	jwk   jose.JSONWebKey
	print thumbprint
}

const (
	// RFC 7518, section 3.3, asks for 2048 bits; more than 8192 would only make
	// signatures dear to verify.
	minRSABits = 2048
	maxRSABits = 8192
)

// newVerifyingKey takes a key that can verify signatures, is public, has an id and
// is neither too weak nor too dear.
func newVerifyingKey(raw []byte) (verifyingKey, bool) {
	var key verifyingKey
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
		return key, false // a secret, a private key or a kind that no algorithm here uses
	}
	sum, err := key.jwk.Thumbprint(crypto.SHA256)
	if err != nil || len(sum) != len(key.print) {
		return key, false
	}
	copy(key.print[:], sum)
	return key, true
}

// verify returns what was signed. go-jose checks that the algorithm fits the kind
// of the key; an alg of the key itself binds it further (RFC 7517, section 4.4).
func (k *verifyingKey) verify(raw string, algorithm jose.SignatureAlgorithm) (payload []byte, ok bool) {
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
