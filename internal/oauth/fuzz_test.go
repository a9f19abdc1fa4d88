package oauth

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
	"github.com/scopegate/scopegate/internal/tokens"
)

// FuzzVerify checks that nothing panics, whatever the header and the claims say and
// whether or not the workspace signed them, and that an accepted token is signed and,
// read by another decoder, has the claims of a valid token.
func FuzzVerify(f *testing.F) {
	c := newClock()
	w := fakeworkspace.New(fakeworkspace.WithClock(c.Now))
	if err := w.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(w.Close)
	v := newVerifier(w.URL()+"?o="+strconv.FormatInt(w.WorkspaceID(), 10), 30*time.Second, c.Now)
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
		signer := func([]byte) []byte { return signature }
		if signed {
			signer = sign
		}
		raw := forge(fill.Replace(header), fill.Replace(claims), signer)
		info, err := v.Verify(t.Context(), raw)
		if err != nil {
			var unavailable *tokens.UnavailableError
			if info != nil || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExpired) && !errors.As(err, &unavailable) {
				t.Fatalf("%v, error %v", info, err)
			}
			return
		}
		checkAccepted(t, raw, info, &key.PublicKey, w.Issuer(), c.Now())
	})
}

// checkAccepted checks an accepted token by other means.
func checkAccepted(t *testing.T, raw string, info *tokens.Info, key *rsa.PublicKey, issuer string, now time.Time) {
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
	if claims["iss"] != issuer || len(info.Scopes) == 0 || !info.Expires.Known() || info.Expires.Never() || info.Expired(now) {
		t.Fatalf("accepted %s as %+v", payload, info)
	}
	scope, _ := claims["scope"].(string)
	scpList, _ := claims["scp"].([]any)
	scp, _ := claims["scp"].(string)
	for _, got := range info.Scopes {
		if !slices.Contains(strings.Fields(scope+" "+scp), got) && !slices.Contains(scpList, any(got)) {
			t.Fatalf("scope %q is not in %s", got, payload)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	c := newClock()
	w := fakeworkspace.New(fakeworkspace.WithClock(c.Now))
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	v := newVerifier(w.URL(), 30*time.Second, c.Now)
	defer v.Close()
	raw := w.SignJWT(nil)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("uncached", func(b *testing.B) {
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
		forged := respelled(raw)
		for b.Loop() {
			if _, err := v.Verify(b.Context(), forged); !errors.Is(err, ErrInvalid) {
				b.Fatal(err)
			}
		}
	})
}
