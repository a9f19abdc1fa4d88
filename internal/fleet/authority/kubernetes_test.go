package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const audience = "scopegate-authority"

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// cluster publishes the keys of an issuer.
type cluster struct {
	*httptest.Server
	mu       sync.Mutex
	keys     map[string]any // by key ID: public keys, or anything else as it is
	down     bool
	fetches  int
	bearers  []string
	issuer   string // of the discovery document
	redirect string
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{keys: map[string]any{"rsa": rsaKey().Public(), "ec": ecKey().Public()}}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	c.issuer = c.URL
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) jwks() []byte {
	set := map[string][]any{}
	for kid, key := range c.keys {
		switch key.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey:
			set["keys"] = append(set["keys"], jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"})
		default:
			set["keys"] = append(set["keys"], key)
		}
	}
	return must(json.Marshal(set))
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bearers = append(c.bearers, r.Header.Get("Authorization"))
	switch {
	case c.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case r.URL.Path == "/keys" && c.redirect != "":
		http.Redirect(w, r, c.redirect, http.StatusFound)
	case r.URL.Path == "/keys":
		c.fetches++
		_, _ = w.Write(c.jwks())
	case r.URL.Path == "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": c.issuer, "jwks_uri": c.URL + "/keys"})
	default:
		http.NotFound(w, r)
	}
}

func (c *cluster) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *cluster) config() Kubernetes {
	return Kubernetes{Issuer: c.URL, Audience: audience, Accounts: []string{"apps/edge"}}
}

// claims are those of a good token at a time.
func (c *cluster) claims(now time.Time) map[string]any {
	return map[string]any{
		"iss": c.URL, "aud": []string{audience}, "sub": "system:serviceaccount:apps:edge",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		"kubernetes.io": map[string]any{
			"namespace": "apps", "serviceaccount": map[string]any{"name": "edge", "uid": "1"}, "pod": map[string]any{"name": "edge-7d9f", "uid": "2"},
		},
	}
}

func with(claims map[string]any, changes map[string]any) map[string]any {
	changed := maps.Clone(claims)
	for name, value := range changes {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

func sign(algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options))
	return must(must(signer.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

func unsigned(header string, claims any) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(must(json.Marshal(claims))) + "."
}

func TestServiceAccounts(t *testing.T) {
	c := newCluster(t)
	f := newFixture(t, func(o *Options) {
		config := c.config()
		config.Keys = c.URL + "/keys"
		o.Access = Access{Kubernetes: &config}
	})
	id := f.know("a", 1)
	good := c.claims(f.clock.now())
	said := func(namespace, account, pod any) map[string]any {
		return map[string]any{"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account}, "pod": map[string]any{"name": pod}}}
	}
	rs := func(changes map[string]any) string { return sign(jose.RS256, rsaKey(), "rsa", with(good, changes)) }
	now := f.clock.now()
	for _, test := range []struct {
		name, token string
		status      int
	}{
		{"RS256", rs(nil), 200},
		{"ES256", sign(jose.ES256, ecKey(), "ec", good), 200},
		{"PS256", sign(jose.PS256, rsaKey(), "rsa", good), 200},
		{"one audience as text", rs(map[string]any{"aud": audience}), 200},
		{"several audiences", rs(map[string]any{"aud": []string{"x", audience}}), 200},
		{"no pod", rs(with(said("apps", "edge", ""), nil)), 200},
		{"expired", rs(map[string]any{"exp": now.Add(-time.Second).Unix()}), 401},
		{"without an end", rs(map[string]any{"exp": nil}), 401},
		{"not yet", rs(map[string]any{"nbf": now.Add(time.Hour).Unix()}), 401},
		{"another audience", rs(map[string]any{"aud": []string{"https://kubernetes.default.svc"}}), 401},
		{"no audience", rs(map[string]any{"aud": nil}), 401},
		{"another issuer", rs(map[string]any{"iss": "https://other.example"}), 401},
		{"the issuer with a slash", rs(map[string]any{"iss": c.URL + "/"}), 401},
		{"another account", rs(with(said("apps", "other", "p"), map[string]any{"sub": "system:serviceaccount:apps:other"})), 403},
		{"another namespace", rs(with(said("kube-system", "edge", "p"), map[string]any{"sub": "system:serviceaccount:kube-system:edge"})), 403},
		{"a subject that disagrees", rs(map[string]any{"sub": "system:serviceaccount:apps:other"}), 401},
		{"a user", rs(map[string]any{"sub": "alice"}), 401},
		{"no claims of Kubernetes", rs(map[string]any{"kubernetes.io": nil}), 401},
		{"a namespace with a slash", rs(with(said("apps/edge", "x", "p"), nil)), 401},
		{"a pod that is no name", rs(said("apps", "edge", "p\n\x1b[31m")), 401},
		{"another key of the same ID", sign(jose.RS256, otherKey(), "rsa", good), 401},
		{"an unknown key ID", sign(jose.RS256, rsaKey(), "unknown", good), 401},
		{"no key ID", sign(jose.RS256, rsaKey(), "", good), 401},
		{"the key of another kind", sign(jose.ES256, ecKey(), "rsa", good), 401},
		{"none", unsigned(`{"alg":"none","kid":"rsa"}`, good), 401},
		{"None", unsigned(`{"alg":"None","kid":"rsa"}`, good), 401},
		{"HMAC with a public key", sign(jose.HS256, must(json.Marshal(jose.JSONWebKey{Key: rsaKey().Public()})), "rsa", good), 401},
		{"a signature too short", rs(nil)[:len(rs(nil))-8], 401},
		{"another payload", swapPayload(rs(nil), with(good, map[string]any{"sub": "system:serviceaccount:apps:root"})), 401},
		{"no JWT", "eyJhbGciOiJSUzI1NiJ9", 401},
		{"a JWS in JSON", `{"payload":"e30","signatures":[]}`, 401},
		{"a shared token", sharedToken, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 2 { // the second time, a good one is remembered
				got := f.ask("GET", tokenPath(id), nil, setHeader("Authorization", "Bearer "+test.token), named("liar"))
				if got.status != test.status {
					t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
				}
			}
		})
	}
	var names []string
	for _, e := range f.server.edges.others.Values() {
		names = append(names, e.name)
	}
	if len(names) != 2 {
		t.Errorf("edges %q, want a pod and an account", names)
	}
	contains(t, names, "apps/edge-7d9f")
	contains(t, names, "apps/edge")
	c.change(func() {
		if c.fetches != 1 {
			t.Errorf("keys were fetched %d times, want 1", c.fetches)
		}
	})
}

func swapPayload(token string, claims any) string {
	parts := strings.Split(token, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(claims)))
	return strings.Join(parts, ".")
}

// accounts verifies tokens without a server.
type accounts struct {
	*serviceAccounts
	clock *clock
	c     *cluster
}

func newAccounts(t *testing.T, change func(*cluster, *Kubernetes)) *accounts {
	c, clock := newCluster(t), newClock()
	config := c.config()
	if change != nil {
		change(c, &config)
	}
	k := newServiceAccounts(config, clock.now)
	t.Cleanup(k.close)
	return &accounts{k, clock, c}
}

func (a *accounts) try(key any, kid string) error {
	raw := sign(algorithmOf(key), key, kid, a.c.claims(a.clock.now()))
	_, err := a.identify(context.Background(), raw, sha256.Sum256([]byte(raw)))
	return err
}

func algorithmOf(key any) jose.SignatureAlgorithm {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return jose.RS256
	}
	return jose.ES256
}

// TestVerifiedEnds: what is remembered of a token ends with it.
func TestVerifiedEnds(t *testing.T) {
	a := newAccounts(t, nil)
	claims := with(a.c.claims(a.clock.now()), map[string]any{"exp": a.clock.now().Add(time.Minute).Unix()})
	raw := sign(jose.RS256, rsaKey(), "rsa", claims)
	hash := sha256.Sum256([]byte(raw))
	for _, test := range []struct {
		pass time.Duration
		ok   bool
	}{{0, true}, {59 * time.Second, true}, {time.Second, true}, {time.Second, false}} {
		a.clock.pass(test.pass)
		if _, err := a.identify(t.Context(), raw, hash); (err == nil) != test.ok {
			t.Errorf("after %v more: %v", test.pass, err)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Kubernetes{Issuer: "https://issuer.example", Audience: "a", Accounts: []string{"apps/edge"}}
	for _, test := range []struct {
		name   string
		change func(*Kubernetes)
		want   string
	}{
		{"good", func(*Kubernetes) {}, ""},
		{"a file", func(k *Kubernetes) { k.Keys, k.Issuer = "/keys.json", "kubernetes/serviceaccount" }, ""},
		{"a URL", func(k *Kubernetes) { k.Keys = "https://keys.example/jwks" }, ""},
		{"this machine", func(k *Kubernetes) { k.Keys = "http://127.0.0.1:8001/openid/v1/jwks" }, ""},
		{"no issuer", func(k *Kubernetes) { k.Issuer = "" }, "issuer"},
		{"no audience", func(k *Kubernetes) { k.Audience = "" }, "audience"},
		{"no account", func(k *Kubernetes) { k.Accounts = nil }, "service_account"},
		{"half an account", func(k *Kubernetes) { k.Accounts = []string{"edge"} }, "service_account"},
		{"any account", func(k *Kubernetes) { k.Accounts = []string{"apps/*"} }, "service_account"},
		{"a plain issuer", func(k *Kubernetes) { k.Issuer = "http://issuer.example" }, "https://"},
		{"an issuer that is no URL", func(k *Kubernetes) { k.Issuer = "issuer" }, "jwks"},
		{"a plain URL", func(k *Kubernetes) { k.Keys = "http://keys.example" }, "https://"},
		{"a URL with a password", func(k *Kubernetes) { k.Keys = "https://a:b@keys.example" }, "credentials"},
		{"a file somewhere", func(k *Kubernetes) { k.Keys = "keys.json" }, "absolute"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := good
			test.change(&k)
			err := (&Access{Kubernetes: &k}).Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
