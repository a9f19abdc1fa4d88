package oauth

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	c := newClock()
	now := c.Now()
	w := startIssuer(t, c)
	other := startIssuer(t, c, fakeworkspace.WithWorkspaceID(42))
	key, kid := w.SigningKey()
	otherKey, otherKID := other.SigningKey()
	aud := strconv.FormatInt(w.WorkspaceID(), 10)
	owner, _ := w.AdminClient()
	header := changes{"alg": "RS256", "typ": "at+jwt", "kid": kid}
	claims := changes{
		"iss": w.Issuer(), "aud": aud, "sub": "someone@example.com", "client_id": "databricks-cli", "jti": "1",
		"scope": "sql", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	sign := signPKCS1(key, crypto.SHA256)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	inHeader := func(change changes) string { return forge(with(header, change), claims, sign) }
	inClaims := func(change changes) string { return forge(header, with(claims, change), sign) }
	good := inClaims(nil)
	text := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	embedded := changes{"kty": "RSA", "kid": otherKID, "n": base64.RawURLEncoding.EncodeToString(otherKey.N.Bytes()), "e": "AQAB"}

	for _, test := range []struct {
		name   string
		raw    string
		want   error
		scopes []string
	}{
		{"good", good, nil, []string{"sql"}},
		{"good, minted by the workspace itself", w.SignJWT(nil), nil, []string{"all-apis"}},

		{"type absent", inHeader(changes{"typ": nil}), nil, []string{"sql"}},
		{"type JWT", inHeader(changes{"typ": "JWT"}), nil, []string{"sql"}},
		{"type in full", inHeader(changes{"typ": "application/AT+JWT"}), nil, []string{"sql"}},
		{"type of a logout token", inHeader(changes{"typ": "logout+jwt"}), ErrInvalid, nil},
		{"type is not a string", inHeader(changes{"typ": 1}), ErrInvalid, nil},
		{"algorithm none, unsigned", forge(with(header, changes{"alg": "none"}), claims, nil), ErrInvalid, nil},
		{"algorithm none, signature empty", forge(with(header, changes{"alg": "none"}), claims, func([]byte) []byte { return nil }), ErrInvalid, nil},
		{"algorithm nOnE", forge(with(header, changes{"alg": "nOnE"}), claims, nil), ErrInvalid, nil},
		{"algorithm none, signed", inHeader(changes{"alg": "none"}), ErrInvalid, nil},
		{"algorithm absent", inHeader(changes{"alg": nil}), ErrInvalid, nil},
		{"algorithm is a list", inHeader(changes{"alg": []string{"RS256"}}), ErrInvalid, nil},
		{"HS256 with the public key", forge(with(header, changes{"alg": "HS256"}), claims, signHMAC(spki)), ErrInvalid, nil},
		{"HS256 with the modulus", forge(with(header, changes{"alg": "HS256"}), claims, signHMAC(key.N.Bytes())), ErrInvalid, nil},
		{"RS512, which is not listed", forge(with(header, changes{"alg": "RS512"}), claims, signPKCS1(key, crypto.SHA512)), ErrInvalid, nil},
		{"PS256, which is not listed", forge(with(header, changes{"alg": "PS256"}), claims, signPSS(key, crypto.SHA256)), ErrInvalid, nil},
		{"RS256 signed as RS512", forge(header, claims, signPKCS1(key, crypto.SHA512)), ErrInvalid, nil},
		{"RS256 signed as PS256", forge(header, claims, signPSS(key, crypto.SHA256)), ErrInvalid, nil},
		{"EdDSA", inHeader(changes{"alg": "EdDSA"}), ErrInvalid, nil},

		{"key id absent", inHeader(changes{"kid": nil}), ErrInvalid, nil},
		{"key id empty", inHeader(changes{"kid": ""}), ErrInvalid, nil},
		{"key id unknown", inHeader(changes{"kid": "unknown"}), ErrInvalid, nil},
		{"key id is a path", inHeader(changes{"kid": "../../../../dev/null"}), ErrInvalid, nil},
		{"key id is an address", inHeader(changes{"kid": other.URL() + keysPath}), ErrInvalid, nil},
		{"key id is a query", inHeader(changes{"kid": "x' UNION SELECT 'key"}), ErrInvalid, nil},
		{"key id is huge", inHeader(changes{"kid": strings.Repeat("k", maxKeyID+1)}), ErrInvalid, nil},
		{"key id of another workspace", forge(with(header, changes{"kid": otherKID}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalid, nil},
		{"key of another workspace", forge(header, claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalid, nil},
		{"jku is ignored", inHeader(changes{"jku": other.URL() + keysPath}), nil, []string{"sql"}},
		{"x5u is ignored", inHeader(changes{"x5u": other.URL() + keysPath}), nil, []string{"sql"}},
		{"jwk is ignored", inHeader(changes{"jwk": embedded}), nil, []string{"sql"}},
		{"jku of a foreign signer", forge(with(header, changes{"kid": otherKID, "jku": other.URL() + keysPath}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalid, nil},
		{"jwk of a foreign signer", forge(with(header, changes{"jwk": embedded}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalid, nil},
		{"jwk of a foreign signer without key id", forge(changes{"alg": "RS256", "jwk": embedded}, claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalid, nil},
		{"critical header", inHeader(changes{"crit": []string{"exp"}, "exp": 1}), ErrInvalid, nil},
		{"critical header that go-jose supports", inHeader(changes{"crit": []string{"b64"}, "b64": true}), ErrInvalid, nil},
		{"payload not encoded", inHeader(changes{"b64": false}), ErrInvalid, nil},
		{"payload encoded, stated explicitly", inHeader(changes{"b64": true}), ErrInvalid, nil},

		{"issuer absent", inClaims(changes{"iss": nil}), ErrInvalid, nil},
		{"issuer without path", inClaims(changes{"iss": w.URL()}), ErrInvalid, nil},
		{"issuer with an extra slash", inClaims(changes{"iss": w.Issuer() + "/"}), ErrInvalid, nil},
		{"issuer in capitals", inClaims(changes{"iss": strings.ToUpper(w.Issuer())}), ErrInvalid, nil},
		{"issuer with the same prefix", inClaims(changes{"iss": w.Issuer() + ".evil.example"}), ErrInvalid, nil},
		{"issuer is the account", inClaims(changes{"iss": "https://accounts.cloud.databricks.com/oidc/accounts/1"}), ErrInvalid, nil},
		{"issuer is another workspace", inClaims(changes{"iss": other.Issuer()}), ErrInvalid, nil},
		{"another workspace's token", other.SignJWT(changes{"aud": aud}), ErrInvalid, nil},
		{"audience absent", inClaims(changes{"aud": nil}), ErrInvalid, nil},
		{"audience empty", inClaims(changes{"aud": ""}), ErrInvalid, nil},
		{"audience is another workspace", inClaims(changes{"aud": "42"}), ErrInvalid, nil},
		{"audience is an application, as in ID tokens", inClaims(changes{"aud": owner}), ErrInvalid, nil},
		{"audience is the token endpoint", inClaims(changes{"aud": w.Issuer() + "/v1/token"}), ErrInvalid, nil},
		{"audience is a number", inClaims(changes{"aud": w.WorkspaceID()}), ErrInvalid, nil},
		{"audience in a list", inClaims(changes{"aud": []string{aud}}), nil, []string{"sql"}},
		{"audience in a long list", inClaims(changes{"aud": []string{"x", aud}}), nil, []string{"sql"}},
		{"audience list without the workspace", inClaims(changes{"aud": []string{"x"}}), ErrInvalid, nil},
		{"audience list of other types", inClaims(changes{"aud": []any{aud, 1}}), ErrInvalid, nil},
		{"subject absent", inClaims(changes{"sub": nil}), ErrInvalid, nil},

		{"expired now", inClaims(changes{"exp": now.Unix()}), ErrExpired, nil},
		{"expires in a second", inClaims(changes{"exp": now.Unix() + 1}), nil, []string{"sql"}},
		{"expires within this second", inClaims(changes{"exp": float64(now.Unix()) + .5}), ErrExpired, nil},
		{"expired and forged", forge(header, with(claims, changes{"exp": now.Unix() - 1}), nil), ErrInvalid, nil},
		{"expiry absent", inClaims(changes{"exp": nil}), ErrInvalid, nil},
		{"expiry is a string", inClaims(changes{"exp": strconv.FormatInt(now.Unix()+60, 10)}), ErrInvalid, nil},
		{"expiry overflows", inClaims(changes{"exp": 1e30}), ErrInvalid, nil},
		{"expiry does not fit a float", forge(header, strings.Replace(text(claims), `"exp":`, `"exp":1e999,"old":`, 1), sign), ErrInvalid, nil},
		{"not before now", inClaims(changes{"nbf": now.Unix()}), nil, []string{"sql"}},
		{"not before, within leeway", inClaims(changes{"nbf": now.Add(leeway).Unix()}), nil, []string{"sql"}},
		{"not yet valid", inClaims(changes{"nbf": now.Add(leeway).Unix() + 1}), ErrInvalid, nil},
		{"issued absent", inClaims(changes{"iat": nil}), nil, []string{"sql"}},
		{"issued in the future", inClaims(changes{"iat": now.Add(leeway).Unix() + 1}), ErrInvalid, nil},

		{"scopes", inClaims(changes{"scope": "sql jobs clusters"}), nil, []string{"clusters", "jobs", "sql"}},
		{"scopes twice and spaces", inClaims(changes{"scope": " sql  sql "}), nil, []string{"sql"}},
		{"scopes of OpenID Connect are dropped", inClaims(changes{"scope": "openid email profile offline_access sql"}), nil, []string{"sql"}},
		{"scopes of OpenID Connect only", inClaims(changes{"scope": "openid email profile offline_access"}), ErrInvalid, nil},
		{"scope absent", inClaims(changes{"scope": nil}), ErrInvalid, nil},
		{"scope empty", inClaims(changes{"scope": ""}), ErrInvalid, nil},
		{"scope blank", inClaims(changes{"scope": "  "}), ErrInvalid, nil},
		{"scope is a list", inClaims(changes{"scope": []string{"sql"}}), ErrInvalid, nil},
		{"scope with a tab", inClaims(changes{"scope": "sql\tall-apis"}), ErrInvalid, nil},
		{"scope with a no-break space", inClaims(changes{"scope": "sql\u00a0all-apis"}), ErrInvalid, nil},
		{"scp as a list", inClaims(changes{"scope": nil, "scp": []string{"sql", "offline_access"}}), nil, []string{"sql"}},
		{"scp as a string", inClaims(changes{"scope": nil, "scp": "sql jobs"}), nil, []string{"jobs", "sql"}},
		{"scp empty", inClaims(changes{"scope": nil, "scp": []string{}}), ErrInvalid, nil},
		{"scp with two scopes in one", inClaims(changes{"scope": nil, "scp": []string{"sql all-apis"}}), ErrInvalid, nil},
		{"scp of another type", inClaims(changes{"scope": nil, "scp": changes{"all-apis": true}}), ErrInvalid, nil},
		{"scope and scp agree", inClaims(changes{"scope": "sql jobs", "scp": []string{"jobs", "sql"}}), nil, []string{"jobs", "sql"}},
		{"scope and scp differ", inClaims(changes{"scp": []string{"all-apis"}}), ErrInvalid, nil},

		{"duplicate claim", forge(header, strings.Replace(text(claims), "{", `{"scope":"all-apis",`, 1), sign), ErrInvalid, nil},
		{"duplicate claim, once escaped", forge(header, strings.Replace(text(claims), "{", `{"sc\u006fpe":"all-apis",`, 1), sign), ErrInvalid, nil},
		{"claim in capitals is a different claim", inClaims(changes{"SCOPE": "all-apis"}), nil, []string{"sql"}},
		{"claim in capitals alone", inClaims(changes{"scope": nil, "Scope": "all-apis"}), ErrInvalid, nil},
		{"duplicate header", forge(strings.Replace(text(header), "{", `{"alg":"none",`, 1), claims, sign), ErrInvalid, nil},
		{"two claim sets", forge(header, text(claims)+text(claims), sign), ErrInvalid, nil},
		{"payload is a list", forge(header, "["+text(claims)+"]", sign), ErrInvalid, nil},
		{"payload is null", forge(header, "null", sign), ErrInvalid, nil},
		{"payload is invalid UTF-8", forge(header, strings.Replace(text(claims), "someone", "some\xffone", 1), sign), ErrInvalid, nil},
		{"payload is deeply nested", forge(header, `{"x":`+strings.Repeat("[", 10000), sign), ErrInvalid, nil},

		{"as large as allowed", forge(header, with(claims, changes{"pad": strings.Repeat("p", 11<<10)}), sign), nil, []string{"sql"}},
		{"too large", forge(header, with(claims, changes{"pad": strings.Repeat("p", 13<<10)}), sign), ErrInvalid, nil},
		{"payload changed", strings.Replace(good, ".", ".e", 1), ErrInvalid, nil},
		{"signature truncated", good[:len(good)-4], ErrInvalid, nil},
		{"signature of another token", good[:strings.LastIndex(good, ".")] + w.SignJWT(nil)[strings.LastIndex(w.SignJWT(nil), "."):], ErrInvalid, nil},
		{"signature with another spelling", respelled(good), ErrInvalid, nil},
		{"no signature", good[:strings.LastIndex(good, ".")+1], ErrInvalid, nil},
		{"two parts", good[:strings.LastIndex(good, ".")], ErrInvalid, nil},
		{"encrypted", good + ".AA.AA", ErrInvalid, nil},
		{"line break", good[:10] + "\n" + good[10:], ErrInvalid, nil},
		{"padding", good + "==", ErrInvalid, nil},
		{"a PAT", somePAT, ErrInvalid, nil},
		{"nothing", "", ErrInvalid, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newTestVerifier(t, w.URL(), c)
			info, err := v.Verify(t.Context(), test.raw)
			checkError(t, err, test.want, test.raw)
			wantCached := 0
			if err == nil {
				wantCached = 1
				if diff := cmp.Diff(test.scopes, info.Scopes); diff != "" {
					t.Errorf("scopes (-want +got):\n%s", diff)
				}
			}
			if n := v.verified.Len(); n != wantCached {
				t.Errorf("%d tokens are cached, want %d", n, wantCached)
			}
		})
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("another host got %d requests", n)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	raw := w.SignJWT(changes{"scope": "sql offline_access"})
	info, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	owner, _ := w.AdminClient()
	want := &tokens.Info{
		ID: tokens.IDOf(raw), Owner: tokens.NewPrincipal(0, owner), Creator: tokens.NewPrincipal(0, owner), WorkspaceID: w.WorkspaceID(), Scopes: []string{"sql"},
		OAuth: true, Created: time.Unix(c.Now().Unix(), 0), Expires: tokens.ExpiresAt(time.Unix(c.Now().Add(time.Hour).Unix(), 0)),
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
