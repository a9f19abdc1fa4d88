package fakeworkspace

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	errJWT        = errors.New("verifying access token: not ours")
	errJWTExpired = errors.New("verifying access token: expired")
)

// jwtClaims holds the claims of an access token that the workspace checks.
type jwtClaims struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"`
	Subject  string          `json:"sub"`
	Scope    string          `json:"scope"`
	Expires  float64         `json:"exp"`
	Before   float64         `json:"nbf"`
}

// signingKey is an RSA key pair and its id.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// keyring signs with its newest key and publishes all of them. It generates the first key on demand,
// because that takes longer than most tests.
type keyring struct {
	mu   sync.Mutex
	keys []signingKey
}

func (k *keyring) current() signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		k.keys = []signingKey{newSigningKey()}
	}
	return k.keys[len(k.keys)-1]
}

func (k *keyring) byID(id string) (signingKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if key.id == id {
			return key, true
		}
	}
	return signingKey{}, false
}

func (k *keyring) jwks() map[string]any {
	k.current()
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([]map[string]string, 0, len(k.keys))
	for _, key := range k.keys {
		keys = append(keys, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id,
			"n": b64(key.key.N.Bytes()),
			"e": b64(big.NewInt(int64(key.key.E)).Bytes()),
		})
	}
	return map[string]any{"keys": keys}
}

// spareKeys are the key pairs of closed workspaces. New ones reuse them, because generating a pair
// takes longer than most tests. No two open workspaces share a pair.
var spareKeys struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

// newSigningKey returns a key pair under a new id.
func newSigningKey() signingKey {
	key := signingKey{id: randomHex(16)}
	spareKeys.mu.Lock()
	if last := len(spareKeys.keys) - 1; last >= 0 {
		key.key, spareKeys.keys = spareKeys.keys[last], spareKeys.keys[:last]
	}
	spareKeys.mu.Unlock()
	if key.key == nil {
		var err error
		if key.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(fmt.Sprintf("fakeworkspace: generating a signing key: %v", err)) // the system has no randomness
		}
	}
	return key
}

// release lets new workspaces reuse the key pairs. The keyring keeps working, for requests that outlive
// the workspace.
func (k *keyring) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	spareKeys.mu.Lock()
	defer spareKeys.mu.Unlock()
	for _, key := range k.keys {
		spareKeys.keys = append(spareKeys.keys, key.key)
	}
}

// RotateKey makes a new signing key and returns its id. If drop is true the old keys are no longer
// published, which invalidates the tokens they signed.
func (w *Workspace) RotateKey(drop bool) (kid string) {
	key := newSigningKey()
	w.keys.mu.Lock()
	defer w.keys.mu.Unlock()
	if drop {
		w.keys.keys = nil
	}
	w.keys.keys = append(slices.Clone(w.keys.keys), key)
	return key.id
}

// SigningKey returns the current key and its id, for tokens that [Workspace.SignJWT] cannot make, such
// as those with another algorithm or header.
func (w *Workspace) SigningKey() (key *rsa.PrivateKey, kid string) {
	k := w.keys.current()
	return k.key, k.id
}

// Issuer returns the iss claim of the workspace's access tokens.
func (w *Workspace) Issuer() string { return cmp.Or(w.advertised, w.URL()) + "/oidc" }

// SignJWT makes an access token of the admin service principal that is valid for an hour. The given
// claims override the defaults, and nil removes one. Values must be encodable as JSON.
func (w *Workspace) SignJWT(claims map[string]any) string {
	return w.signJWT(cmp.Or(w.advertised, w.URL()), claims)
}

func (w *Workspace) signJWT(base string, claims map[string]any) string {
	now := w.now()
	all := map[string]any{
		"iss": base + "/oidc", "aud": strconv.FormatInt(w.workspaceID, 10),
		"sub": w.adminClient.ApplicationID, "client_id": w.adminClient.ApplicationID, "scope": "all-apis",
		"iat": now.Unix(), "exp": now.Add(accessTokenLife).Unix(),
	}
	for name, value := range claims {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	key := w.keys.current()
	header, _ := json.Marshal(map[string]string{"alg": "RS256", "typ": "at+jwt", "kid": key.id})
	body, err := json.Marshal(all)
	if err != nil {
		panic(fmt.Sprintf("fakeworkspace: encoding claims: %v", err)) // the test's own claims
	}
	signed := b64(header) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("fakeworkspace: signing: %v", err)) // 2048 bits hold a SHA-256
	}
	return signed + "." + b64(signature)
}

// verifyJWT checks an access token.
func (w *Workspace) verifyJWT(token, base string) (jwtClaims, error) {
	var header struct{ Alg, Kid string }
	var claims jwtClaims
	parts := strings.Split(token, ".")
	if len(token) > 64<<10 || len(parts) != 3 || !unb64JSON(parts[0], &header) || header.Alg != "RS256" {
		return claims, errJWT
	}
	key, found := w.keys.byID(header.Kid)
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if !found || err != nil {
		return claims, errJWT
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&key.key.PublicKey, crypto.SHA256, sum[:], signature) != nil || !unb64JSON(parts[1], &claims) {
		return claims, errJWT
	}
	now := float64(w.now().UnixNano()) / float64(time.Second)
	switch {
	case claims.Issuer != base+"/oidc" || !w.isAudience(claims.Audience):
		return claims, errJWT
	case claims.Expires <= now:
		return claims, errJWTExpired
	case claims.Before > now:
		return claims, errJWT
	}
	return claims, nil
}

// isAudience accepts a string or a list (RFC 7519 section 4.1.3).
func (w *Workspace) isAudience(raw json.RawMessage) bool {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(raw, &many) != nil {
		return false
	}
	return slices.Contains(many, strconv.FormatInt(w.workspaceID, 10))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64JSON(s string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && json.Unmarshal(b, v) == nil
}
