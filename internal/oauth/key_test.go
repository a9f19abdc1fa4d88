package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strconv"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestAlgorithms publishes keys of every type and lists every algorithm.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	rsaKey, rsaKID := w.SigningKey()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	ecKeys := map[string]*ecdsa.PrivateKey{}
	jwks := []changes{
		{"kty": "RSA", "kid": rsaKID, "n": base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "bound", "alg": "RS256", "n": base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "encryption", "use": "enc", "n": base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "weak", "n": base64.RawURLEncoding.EncodeToString(weak.N.Bytes()), "e": "AQAB"},
		{"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
		{"kty": "RSA", "kid": "broken"}, {"kty": "new", "kid": "new"},
	}
	for name, curve := range curves {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ecKeys[name] = key
		size := (curve.Params().BitSize + 7) / 8
		jwks = append(jwks, changes{
			"kty": "EC", "crv": name, "kid": name,
			"x": base64.RawURLEncoding.EncodeToString(key.X.FillBytes(make([]byte, size))),
			"y": base64.RawURLEncoding.EncodeToString(key.Y.FillBytes(make([]byte, size))),
		})
	}
	respond(w, keysPath, changes{"keys": jwks})
	respond(w, metadataPath, metadata(w, changes{"id_token_signing_alg_values_supported": []string{
		"none", "HS256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	}}))
	v := newTestVerifier(t, w.URL(), c)
	for _, test := range []struct {
		alg, kid string
		sign     func([]byte) []byte
		want     error
	}{
		{"RS256", rsaKID, signPKCS1(rsaKey, crypto.SHA256), nil},
		{"RS384", rsaKID, signPKCS1(rsaKey, crypto.SHA384), nil},
		{"RS512", rsaKID, signPKCS1(rsaKey, crypto.SHA512), nil},
		{"PS256", rsaKID, signPSS(rsaKey, crypto.SHA256), nil},
		{"PS384", rsaKID, signPSS(rsaKey, crypto.SHA384), nil},
		{"PS512", rsaKID, signPSS(rsaKey, crypto.SHA512), nil},
		{"ES256", "P-256", signECDSA(ecKeys["P-256"], crypto.SHA256), nil},
		{"ES384", "P-384", signECDSA(ecKeys["P-384"], crypto.SHA384), nil},
		{"ES512", "P-521", signECDSA(ecKeys["P-521"], crypto.SHA512), nil},
		{"ES256", "P-384", signECDSA(ecKeys["P-384"], crypto.SHA256), ErrInvalid},
		{"RS256", "P-256", signPKCS1(rsaKey, crypto.SHA256), ErrInvalid},
		{"ES256", rsaKID, signECDSA(ecKeys["P-256"], crypto.SHA256), ErrInvalid},
		{"RS256", "bound", signPKCS1(rsaKey, crypto.SHA256), nil},
		{"RS512", "bound", signPKCS1(rsaKey, crypto.SHA512), ErrInvalid},
		{"HS256", "secret", signHMAC([]byte("secret")), ErrInvalid},
		{"RS256", "weak", signPKCS1(weak, crypto.SHA256), ErrInvalid},
		{"none", rsaKID, nil, ErrInvalid},
		{"RS256", "encryption", signPKCS1(rsaKey, crypto.SHA256), ErrInvalid},
	} {
		t.Run(test.alg+" "+test.kid, func(t *testing.T) {
			raw := forge(changes{"alg": test.alg, "kid": test.kid}, goodClaims(w, c), test.sign)
			_, err := v.Verify(t.Context(), raw)
			checkError(t, err, test.want, raw)
		})
	}
}

// TestUnlistedAlgorithm uses an algorithm that suits the key but that the workspace does
// not list.
func TestUnlistedAlgorithm(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	key, kid := w.SigningKey()
	respond(w, keysPath, changes{"keys": []changes{
		{"kty": "RSA", "kid": kid, "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB"},
	}})
	v := newTestVerifier(t, w.URL(), c)
	raw := forge(changes{"alg": "RS256", "kid": kid}, goodClaims(w, c), signPKCS1(key, crypto.SHA256))
	_, err := v.Verify(t.Context(), raw)
	checkError(t, err, nil, raw)
	raw = forge(changes{"alg": "RS512", "kid": kid}, goodClaims(w, c), signPKCS1(key, crypto.SHA512))
	_, err = v.Verify(t.Context(), raw)
	checkError(t, err, ErrInvalid, raw)
}

func goodClaims(w *fakeworkspace.Workspace, c *clock) changes {
	return changes{
		"iss": w.Issuer(), "aud": strconv.FormatInt(w.WorkspaceID(), 10), "sub": "x", "scope": "sql", "exp": c.Now().Unix() + 60,
	}
}
