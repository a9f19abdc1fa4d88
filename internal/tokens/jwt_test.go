package tokens

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
)

const (
	metadataPath = "/oidc/.well-known/oauth-authorization-server"
	openIDPath   = "/oidc/.well-known/openid-configuration"
	configPath   = "/.well-known/databricks-config"
	keysPath     = "/oidc/jwks.json"
)

func startIssuer(t testing.TB, c *clock, options ...fakeworkspace.Option) *fakeworkspace.Workspace {
	w := fakeworkspace.New(append(options, fakeworkspace.WithClock(c.Now))...)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func newTestVerifier(t testing.TB, workspace string, c *clock) *Verifier {
	v := NewVerifier(workspace, 5*time.Second, WithVerifierClock(c.Now))
	t.Cleanup(v.Close)
	return v
}

// asked counts the requests for a path.
func asked(w *fakeworkspace.Workspace, path string) (n int) {
	for _, r := range w.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

func TestJWTVerify(t *testing.T) {
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
		{"good, of the workspace's own making", w.SignJWT(nil), nil, []string{"all-apis"}},

		{"type absent", inHeader(changes{"typ": nil}), nil, []string{"sql"}},
		{"type JWT", inHeader(changes{"typ": "JWT"}), nil, []string{"sql"}},
		{"type in full", inHeader(changes{"typ": "application/AT+JWT"}), nil, []string{"sql"}},
		{"type of a logout token", inHeader(changes{"typ": "logout+jwt"}), ErrInvalidJWT, nil},
		{"type is no text", inHeader(changes{"typ": 1}), ErrInvalidJWT, nil},
		{"algorithm none, unsigned", forge(with(header, changes{"alg": "none"}), claims, nil), ErrInvalidJWT, nil},
		{"algorithm none, signature empty", forge(with(header, changes{"alg": "none"}), claims, func([]byte) []byte { return nil }), ErrInvalidJWT, nil},
		{"algorithm nOnE", forge(with(header, changes{"alg": "nOnE"}), claims, nil), ErrInvalidJWT, nil},
		{"algorithm none, signed", inHeader(changes{"alg": "none"}), ErrInvalidJWT, nil},
		{"algorithm absent", inHeader(changes{"alg": nil}), ErrInvalidJWT, nil},
		{"algorithm is a list", inHeader(changes{"alg": []string{"RS256"}}), ErrInvalidJWT, nil},
		{"HS256 with the public key", forge(with(header, changes{"alg": "HS256"}), claims, signHMAC(spki)), ErrInvalidJWT, nil},
		{"HS256 with the modulus", forge(with(header, changes{"alg": "HS256"}), claims, signHMAC(key.N.Bytes())), ErrInvalidJWT, nil},
		{"RS512, which is not listed", forge(with(header, changes{"alg": "RS512"}), claims, signPKCS1(key, crypto.SHA512)), ErrInvalidJWT, nil},
		{"PS256, which is not listed", forge(with(header, changes{"alg": "PS256"}), claims, signPSS(key, crypto.SHA256)), ErrInvalidJWT, nil},
		{"RS256 signed as RS512", forge(header, claims, signPKCS1(key, crypto.SHA512)), ErrInvalidJWT, nil},
		{"RS256 signed as PS256", forge(header, claims, signPSS(key, crypto.SHA256)), ErrInvalidJWT, nil},
		{"EdDSA", inHeader(changes{"alg": "EdDSA"}), ErrInvalidJWT, nil},

		{"key id absent", inHeader(changes{"kid": nil}), ErrInvalidJWT, nil},
		{"key id empty", inHeader(changes{"kid": ""}), ErrInvalidJWT, nil},
		{"key id of nobody", inHeader(changes{"kid": "nobody"}), ErrInvalidJWT, nil},
		{"key id is a path", inHeader(changes{"kid": "../../../../dev/null"}), ErrInvalidJWT, nil},
		{"key id is an address", inHeader(changes{"kid": other.URL() + keysPath}), ErrInvalidJWT, nil},
		{"key id is a query", inHeader(changes{"kid": "x' UNION SELECT 'key"}), ErrInvalidJWT, nil},
		{"key id is huge", inHeader(changes{"kid": strings.Repeat("k", maxKeyID+1)}), ErrInvalidJWT, nil},
		{"key id of another workspace", forge(with(header, changes{"kid": otherKID}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalidJWT, nil},
		{"key of another workspace", forge(header, claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalidJWT, nil},
		{"jku is ignored", inHeader(changes{"jku": other.URL() + keysPath}), nil, []string{"sql"}},
		{"x5u is ignored", inHeader(changes{"x5u": other.URL() + keysPath}), nil, []string{"sql"}},
		{"jwk is ignored", inHeader(changes{"jwk": embedded}), nil, []string{"sql"}},
		{"jku of the signer", forge(with(header, changes{"kid": otherKID, "jku": other.URL() + keysPath}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalidJWT, nil},
		{"jwk of the signer", forge(with(header, changes{"jwk": embedded}), claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalidJWT, nil},
		{"jwk of the signer without key id", forge(changes{"alg": "RS256", "jwk": embedded}, claims, signPKCS1(otherKey, crypto.SHA256)), ErrInvalidJWT, nil},
		{"critical header", inHeader(changes{"crit": []string{"exp"}, "exp": 1}), ErrInvalidJWT, nil},
		{"critical header that go-jose knows", inHeader(changes{"crit": []string{"b64"}, "b64": true}), ErrInvalidJWT, nil},
		{"payload not encoded", inHeader(changes{"b64": false}), ErrInvalidJWT, nil},
		{"payload encoded, and saying so", inHeader(changes{"b64": true}), ErrInvalidJWT, nil},

		{"issuer absent", inClaims(changes{"iss": nil}), ErrInvalidJWT, nil},
		{"issuer without path", inClaims(changes{"iss": w.URL()}), ErrInvalidJWT, nil},
		{"issuer with a slash more", inClaims(changes{"iss": w.Issuer() + "/"}), ErrInvalidJWT, nil},
		{"issuer in capitals", inClaims(changes{"iss": strings.ToUpper(w.Issuer())}), ErrInvalidJWT, nil},
		{"issuer begins alike", inClaims(changes{"iss": w.Issuer() + ".evil.example"}), ErrInvalidJWT, nil},
		{"issuer is the account", inClaims(changes{"iss": "https://accounts.cloud.databricks.com/oidc/accounts/1"}), ErrInvalidJWT, nil},
		{"issuer is another workspace", inClaims(changes{"iss": other.Issuer()}), ErrInvalidJWT, nil},
		{"another workspace's token", other.SignJWT(changes{"aud": aud}), ErrInvalidJWT, nil},
		{"audience absent", inClaims(changes{"aud": nil}), ErrInvalidJWT, nil},
		{"audience empty", inClaims(changes{"aud": ""}), ErrInvalidJWT, nil},
		{"audience is another workspace", inClaims(changes{"aud": "42"}), ErrInvalidJWT, nil},
		{"audience is an application, as in ID tokens", inClaims(changes{"aud": owner}), ErrInvalidJWT, nil},
		{"audience is the token endpoint", inClaims(changes{"aud": w.Issuer() + "/v1/token"}), ErrInvalidJWT, nil},
		{"audience is a number", inClaims(changes{"aud": w.WorkspaceID()}), ErrInvalidJWT, nil},
		{"audience in a list", inClaims(changes{"aud": []string{aud}}), nil, []string{"sql"}},
		{"audience in a long list", inClaims(changes{"aud": []string{"x", aud}}), nil, []string{"sql"}},
		{"audience list without us", inClaims(changes{"aud": []string{"x"}}), ErrInvalidJWT, nil},
		{"audience list of other things", inClaims(changes{"aud": []any{aud, 1}}), ErrInvalidJWT, nil},
		{"subject absent", inClaims(changes{"sub": nil}), ErrInvalidJWT, nil},

		{"expired now", inClaims(changes{"exp": now.Unix()}), ErrExpiredJWT, nil},
		{"expires in a second", inClaims(changes{"exp": now.Unix() + 1}), nil, []string{"sql"}},
		{"expires within this second", inClaims(changes{"exp": float64(now.Unix()) + .5}), ErrExpiredJWT, nil},
		{"expired and forged", forge(header, with(claims, changes{"exp": now.Unix() - 1}), nil), ErrInvalidJWT, nil},
		{"expiry absent", inClaims(changes{"exp": nil}), ErrInvalidJWT, nil},
		{"expiry is text", inClaims(changes{"exp": strconv.FormatInt(now.Unix()+60, 10)}), ErrInvalidJWT, nil},
		{"expiry overflows", inClaims(changes{"exp": 1e30}), ErrInvalidJWT, nil},
		{"expiry is no float", forge(header, strings.Replace(text(claims), `"exp":`, `"exp":1e999,"old":`, 1), sign), ErrInvalidJWT, nil},
		{"not before now", inClaims(changes{"nbf": now.Unix()}), nil, []string{"sql"}},
		{"not before, within leeway", inClaims(changes{"nbf": now.Add(jwtLeeway).Unix()}), nil, []string{"sql"}},
		{"not yet valid", inClaims(changes{"nbf": now.Add(jwtLeeway).Unix() + 1}), ErrInvalidJWT, nil},
		{"issued absent", inClaims(changes{"iat": nil}), nil, []string{"sql"}},
		{"issued in the future", inClaims(changes{"iat": now.Add(jwtLeeway).Unix() + 1}), ErrInvalidJWT, nil},

		{"scopes", inClaims(changes{"scope": "sql jobs clusters"}), nil, []string{"clusters", "jobs", "sql"}},
		{"scopes twice and spaces", inClaims(changes{"scope": " sql  sql "}), nil, []string{"sql"}},
		{"scopes of OpenID Connect are dropped", inClaims(changes{"scope": "openid email profile offline_access sql"}), nil, []string{"sql"}},
		{"scopes of OpenID Connect only", inClaims(changes{"scope": "openid email profile offline_access"}), ErrInvalidJWT, nil},
		{"scope absent", inClaims(changes{"scope": nil}), ErrInvalidJWT, nil},
		{"scope empty", inClaims(changes{"scope": ""}), ErrInvalidJWT, nil},
		{"scope blank", inClaims(changes{"scope": "  "}), ErrInvalidJWT, nil},
		{"scope is a list", inClaims(changes{"scope": []string{"sql"}}), ErrInvalidJWT, nil},
		{"scope with a tab", inClaims(changes{"scope": "sql\tall-apis"}), ErrInvalidJWT, nil},
		{"scope with a no-break space", inClaims(changes{"scope": "sql\u00a0all-apis"}), ErrInvalidJWT, nil},
		{"scp as a list", inClaims(changes{"scope": nil, "scp": []string{"sql", "offline_access"}}), nil, []string{"sql"}},
		{"scp as text", inClaims(changes{"scope": nil, "scp": "sql jobs"}), nil, []string{"jobs", "sql"}},
		{"scp empty", inClaims(changes{"scope": nil, "scp": []string{}}), ErrInvalidJWT, nil},
		{"scp with two scopes in one", inClaims(changes{"scope": nil, "scp": []string{"sql all-apis"}}), ErrInvalidJWT, nil},
		{"scp of other things", inClaims(changes{"scope": nil, "scp": changes{"all-apis": true}}), ErrInvalidJWT, nil},
		{"scope and scp agree", inClaims(changes{"scope": "sql jobs", "scp": []string{"jobs", "sql"}}), nil, []string{"jobs", "sql"}},
		{"scope and scp differ", inClaims(changes{"scp": []string{"all-apis"}}), ErrInvalidJWT, nil},

		{"claim twice", forge(header, strings.Replace(text(claims), "{", `{"scope":"all-apis",`, 1), sign), ErrInvalidJWT, nil},
		{"claim twice, once escaped", forge(header, strings.Replace(text(claims), "{", `{"sc\u006fpe":"all-apis",`, 1), sign), ErrInvalidJWT, nil},
		{"claim in capitals is another claim", inClaims(changes{"SCOPE": "all-apis"}), nil, []string{"sql"}},
		{"claim in capitals alone", inClaims(changes{"scope": nil, "Scope": "all-apis"}), ErrInvalidJWT, nil},
		{"header twice", forge(strings.Replace(text(header), "{", `{"alg":"none",`, 1), claims, sign), ErrInvalidJWT, nil},
		{"two claim sets", forge(header, text(claims)+text(claims), sign), ErrInvalidJWT, nil},
		{"payload is a list", forge(header, "["+text(claims)+"]", sign), ErrInvalidJWT, nil},
		{"payload is null", forge(header, "null", sign), ErrInvalidJWT, nil},
		{"payload is broken UTF-8", forge(header, strings.Replace(text(claims), "someone", "some\xffone", 1), sign), ErrInvalidJWT, nil},
		{"payload is deep", forge(header, `{"x":`+strings.Repeat("[", 10000), sign), ErrInvalidJWT, nil},

		{"as large as may be", forge(header, with(claims, changes{"pad": strings.Repeat("p", 11<<10)}), sign), nil, []string{"sql"}},
		{"huge", forge(header, with(claims, changes{"pad": strings.Repeat("p", 13<<10)}), sign), ErrInvalidJWT, nil},
		{"payload changed", strings.Replace(good, ".", ".e", 1), ErrInvalidJWT, nil},
		{"signature cut", good[:len(good)-4], ErrInvalidJWT, nil},
		{"signature of another token", good[:strings.LastIndex(good, ".")] + w.SignJWT(nil)[strings.LastIndex(w.SignJWT(nil), "."):], ErrInvalidJWT, nil},
		{"signature that decodes alike", alike(good), ErrInvalidJWT, nil},
		{"no signature", good[:strings.LastIndex(good, ".")+1], ErrInvalidJWT, nil},
		{"two parts", good[:strings.LastIndex(good, ".")], ErrInvalidJWT, nil},
		{"encrypted", good + ".AA.AA", ErrInvalidJWT, nil},
		{"line break", good[:10] + "\n" + good[10:], ErrInvalidJWT, nil},
		{"padding", good + "==", ErrInvalidJWT, nil},
		{"a PAT", somePAT, ErrInvalidJWT, nil},
		{"nothing", "", ErrInvalidJWT, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newTestVerifier(t, w.URL(), c)
			info, err := v.Verify(t.Context(), test.raw)
			checkError(t, err, test.want, test.raw)
			remembered := 0
			if err == nil {
				remembered = 1
				if diff := cmp.Diff(test.scopes, info.Scopes); diff != "" {
					t.Errorf("scopes (-want +got):\n%s", diff)
				}
			}
			if n := v.verified.Len(); n != remembered {
				t.Errorf("%d tokens are remembered", n)
			}
		})
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
}

func TestJWTInfo(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	raw := w.SignJWT(changes{"scope": "sql offline_access"})
	info, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	owner, _ := w.AdminClient()
	want := &Info{
		ID: IDOf(raw), CreatorName: owner, WorkspaceID: w.WorkspaceID(), Scopes: []string{"sql"},
		Created: time.Unix(c.Now().Unix(), 0), Expires: time.Unix(c.Now().Add(time.Hour).Unix(), 0),
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
