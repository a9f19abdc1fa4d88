package tokens

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// FuzzVerifyJWT: whatever the header and the claims say, and whether the workspace
// signed them or not, nothing panics, and what is accepted is signed and says of
// itself, read by another decoder, what a good token says.
func FuzzVerifyJWT(f *testing.F) {
	c := newClock()
	w := fakeworkspace.New(fakeworkspace.WithClock(c.Now))
	if err := w.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(w.Close)
	v := NewVerifier(w.URL()+"?o="+strconv.FormatInt(w.WorkspaceID(), 10), time.Second, WithVerifierClock(c.Now))
	f.Cleanup(v.Close)
	key, kid := w.SigningKey()
	sign := signPKCS1(key, crypto.SHA256)

	// Port and key id differ from run to run, so a corpus cannot contain them.
	fill := strings.NewReplacer("ISSUER", w.Issuer(), "KID", kid)
	const header = `{"alg":"RS256","typ":"at+jwt","kid":"KID"}`
	const claims = `{"iss":"ISSUER","aud":"3141592653589793","sub":"x","scope":"sql","iat":1782907200,"exp":1782910800}`
	for _, seed := range []struct {
		header, claims string
		signature      []byte
		signed         bool
	}{
		{header, claims, nil, true},
		{header, claims, []byte("none"), false},
		{`{"alg":"none"}`, claims, []byte("x"), false},
		{`{"alg":"HS256","kid":"KID"}`, claims, key.N.Bytes(), false},
		{`{"alg":"RS256","kid":"KID","crit":["b64"],"b64":false}`, claims, nil, true},
		{`{"alg":"RS256","kid":"KID","jwk":{"kty":"oct","k":"AA"},"x5c":["AA"]}`, claims, nil, true},
		{header, `{"iss":"ISSUER","aud":["3141592653589793"],"sub":"x","scp":["sql","all-apis"],"exp":1782910800.5}`, nil, true},
		{header, `{"iss":"ISSUER","aud":[],"sub":null,"scope":"","exp":-1e999}`, nil, true},
		{header, `{"scope":"sql","scope":"all-apis","iss":"ISSUER"}`, nil, true},
		{header, `[[[[`, nil, true},
	} {
		f.Add(seed.header, seed.claims, seed.signature, seed.signed)
	}
	f.Fuzz(func(t *testing.T, header, claims string, signature []byte, signed bool) {
		how := func([]byte) []byte { return signature }
		if signed {
			how = sign
		}
		raw := forge(fill.Replace(header), fill.Replace(claims), how)
		info, err := v.Verify(t.Context(), raw)
		if err != nil {
			var unavailable *UnavailableError
			if info != nil || !errors.Is(err, ErrInvalidJWT) && !errors.Is(err, ErrExpiredJWT) && !errors.As(err, &unavailable) {
				t.Fatalf("%v, error %v", info, err)
			}
			return
		}
		accepted(t, raw, info, &key.PublicKey, w.Issuer(), c.Now())
	})
}

// accepted judges an accepted token by other means.
func accepted(t *testing.T, raw string, info *Info, key *rsa.PublicKey, issuer string, now time.Time) {
	parts := strings.Split(raw, ".")
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest(crypto.SHA256, []byte(parts[0]+"."+parts[1])), signature) != nil {
		t.Fatal("accepted without a signature")
	}
	var claims map[string]any
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["iss"] != issuer || len(info.Scopes) == 0 || !info.Expires.After(now) || info.Expired(now) {
		t.Fatalf("accepted %s as %+v", payload, info)
	}
	said, _ := claims["scope"].(string)
	list, _ := claims["scp"].([]any)
	also, _ := claims["scp"].(string)
	for _, scope := range info.Scopes {
		if !slices.Contains(strings.Fields(said+" "+also), scope) && !slices.Contains(list, any(scope)) {
			t.Fatalf("scope %q comes from nowhere in %s", scope, payload)
		}
	}
}

func BenchmarkJWTVerify(b *testing.B) {
	c := newClock()
	w := fakeworkspace.New(fakeworkspace.WithClock(c.Now))
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	v := NewVerifier(w.URL(), time.Second, WithVerifierClock(c.Now))
	defer v.Close()
	raw := w.SignJWT(nil)
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.verified.Purge()
			if _, err := v.Verify(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("forged", func(b *testing.B) {
		b.ReportAllocs()
		forged := alike(raw)
		for b.Loop() {
			if _, err := v.Verify(b.Context(), forged); !errors.Is(err, ErrInvalidJWT) {
				b.Fatal(err)
			}
		}
	})
}
