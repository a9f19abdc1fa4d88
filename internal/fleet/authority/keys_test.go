package authority

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestKeysRotate: a new key is known within seconds, and invented key IDs cost nothing.
func TestKeysRotate(t *testing.T) {
	a := newAccounts(t, func(c *cluster, k *Kubernetes) { k.Keys = c.URL + "/keys" })
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Fatal(err)
	}
	a.c.change(func() { a.c.keys["new"] = otherKey().Public() })
	for i := range 50 {
		if err := a.try(ecKey(), strings.Repeat("x", i+1)); err == nil || errors.Is(err, errNoKeys) {
			t.Fatal(err)
		}
	}
	if err := a.try(otherKey(), "new"); err == nil {
		t.Error("the keys were fetched again within seconds")
	}
	a.c.change(func() {
		if a.c.fetches != 1 {
			t.Errorf("%d fetches, want 1", a.c.fetches)
		}
	})
	a.clock.pass(keysRest)
	if err := a.try(otherKey(), "new"); err != nil {
		t.Errorf("the new key: %v", err)
	}
	a.c.change(func() { delete(a.c.keys, "rsa") })
	a.clock.pass(verifiedAge)
	a.c.change(func() {
		if a.c.fetches != 2 {
			t.Errorf("%d fetches, want 2", a.c.fetches)
		}
	})
	_ = a.try(otherKey(), "new") // renews in the background
	for range 500 {
		if err := a.try(rsaKey(), "rsa"); err != nil {
			return
		}
		a.clock.pass(time.Millisecond * 1500) // so that the next token is not one that was verified
		time.Sleep(time.Millisecond)
	}
	t.Error("a key that was withdrawn is still accepted")
}

// TestKeysOutage: keys are used while new ones cannot be had, for an hour.
func TestKeysOutage(t *testing.T) {
	a := newAccounts(t, func(c *cluster, k *Kubernetes) { k.Keys, c.down = c.URL+"/keys", true })
	if err := a.try(rsaKey(), "rsa"); !errors.Is(err, errNoKeys) {
		t.Fatalf("without keys: %v", err)
	}
	a.c.change(func() { a.c.down = false })
	if err := a.try(rsaKey(), "rsa"); !errors.Is(err, errNoKeys) {
		t.Errorf("the keys were asked for again at once: %v", err)
	}
	a.clock.pass(keysRest)
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Fatal(err)
	}
	a.c.change(func() { a.c.down = true })
	a.clock.pass(keysMaxAge - time.Minute)
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Errorf("in an outage: %v", err)
	}
	a.clock.pass(time.Minute)
	if err := a.try(rsaKey(), "rsa"); !errors.Is(err, errNoKeys) {
		t.Errorf("after an hour: %v", err)
	}
}

// TestKeysUnavailable: without keys, an edge is told to come again, not that it is a stranger.
func TestKeysUnavailable(t *testing.T) {
	c := newCluster(t)
	c.down = true
	f := newFixture(t, func(o *Options) { config := c.config(); o.Access.Kubernetes = &config })
	id := f.know("a", 1)
	token := sign(jose.RS256, rsaKey(), "rsa", c.claims(f.clock.now()))
	got := f.ask("GET", tokenPath(id), nil, setHeader("Authorization", "Bearer "+token))
	f.expect(got, 503, wire.UnavailableCode)
	f.expect(f.ask("GET", tokenPath(id), nil), 200, "") // others do not need them
}

// TestKeysSlow: who waits for keys holds up nobody whose key is known.
func TestKeysSlow(t *testing.T) {
	a := newAccounts(t, func(c *cluster, k *Kubernetes) { k.Keys = c.URL + "/keys" })
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Fatal(err)
	}
	a.clock.pass(keysRest)
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	a.c.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-answer })
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for i := range 50 {
		waiting.Go(func() {
			raw := sign(jose.ES256, ecKey(), strings.Repeat("x", i+1), a.c.claims(a.clock.now()))
			if _, err := a.identify(ctx, raw, sha256.Sum256([]byte(raw))); !errors.Is(err, errNoKeys) {
				t.Errorf("got %v, want %v", err, errNoKeys)
			}
		})
	}
	<-asked
	if err := a.try(ecKey(), "ec"); err != nil {
		t.Errorf("a known key: %v", err)
	}
	cancel()
	waiting.Wait()
	close(answer)
	if len(asked) != 0 {
		t.Errorf("%d more fetches", len(asked))
	}
}

func TestKeySources(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct {
		name   string
		change func(*cluster, *Kubernetes)
		want   bool
	}{
		{"discovery", nil, true},
		{"a URL", func(c *cluster, k *Kubernetes) { k.Keys = c.URL + "/keys" }, true},
		{"a file", func(c *cluster, k *Kubernetes) {
			k.Keys = filepath.Join(folder, "keys.json")
			if err := os.WriteFile(k.Keys, c.jwks(), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"no file", func(_ *cluster, k *Kubernetes) { k.Keys = filepath.Join(folder, "none.json") }, false},
		{"discovery of another issuer", func(c *cluster, _ *Kubernetes) { c.issuer = "https://other.example" }, false},
		{"a redirect", func(c *cluster, k *Kubernetes) { k.Keys, c.redirect = c.URL+"/keys", c.URL+"/elsewhere" }, false},
		{"weak keys only", func(c *cluster, _ *Kubernetes) { c.keys = map[string]any{"rsa": weakKey(t)} }, false},
		{"secrets only", func(c *cluster, _ *Kubernetes) {
			c.keys = map[string]any{"rsa": json.RawMessage(`{"kty":"oct","kid":"rsa","k":"c2VjcmV0"}`)}
		}, false},
		{"odd keys too", func(c *cluster, _ *Kubernetes) {
			c.keys["odd"], c.keys["odder"] = json.RawMessage(`{"kty":"PQC"}`), json.RawMessage(`7`)
		}, true},
		{"keys for something else", func(c *cluster, _ *Kubernetes) {
			raw := must(json.Marshal(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "rsa", Use: "enc"}))
			c.keys = map[string]any{"rsa": json.RawMessage(raw)}
		}, false},
		{"too many keys", func(c *cluster, _ *Kubernetes) {
			for i := range maxKeys {
				c.keys[strings.Repeat("k", i+1)] = ecKey().Public()
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := newAccounts(t, test.change).try(rsaKey(), "rsa"); (err == nil) != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func weakKey(t *testing.T) json.RawMessage {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	return must(json.Marshal(jose.JSONWebKey{Key: weak.Public(), KeyID: "rsa"}))
}

// TestKeysBearer: the credential for keys goes to the host that the configuration names only.
func TestKeysBearer(t *testing.T) {
	elsewhere := newCluster(t)
	a := newAccounts(t, func(_ *cluster, k *Kubernetes) { k.Bearer = func() string { return "credential" } })
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Fatal(err)
	}
	for _, sent := range a.c.bearers {
		if sent != "Bearer credential" {
			t.Errorf("sent %q", sent)
		}
	}
	a.c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": a.c.URL, "jwks_uri": elsewhere.URL + "/keys"})
	})
	a.clock.pass(keysMaxAge)
	if err := a.try(rsaKey(), "rsa"); err != nil {
		t.Fatal(err)
	}
	if len(elsewhere.bearers) != 1 || elsewhere.bearers[0] != "" {
		t.Errorf("sent elsewhere: %q", elsewhere.bearers)
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, text := range []string{`{"keys":[]}`, `{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"","y":""}]}`, `[]`, `{"keys":[null,7]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := parseKeys(document)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Errorf("%d keys and %v", len(keys), err)
		}
		for i := range keys {
			if !usable(&keys[i]) {
				t.Errorf("key %d cannot be used", i)
			}
		}
	})
}
