package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/scopegate/scopegate/internal/regularfile"
)

const (
	// keysRest is the least time between two fetches: anybody can invent key IDs.
	keysRest = 10 * time.Second
	// keysRenewAge is when keys are fetched again in the background, keysMaxAge how long they
	// are used while that fails.
	keysRenewAge = 5 * time.Minute
	keysMaxAge   = time.Hour
	// fetchTimeout bounds one fetch.
	fetchTimeout = 5 * time.Second
	// maxKeyFile and maxKeys bound what is read; clusters have one or two keys.
	maxKeyFile = 1 << 20
	maxKeys    = 64
	maxKeyID   = 256
	// RFC 7518, section 3.3, requires 2048 bits; more than 8192 would only make signatures
	// expensive to check.
	minRSABits, maxRSABits = 2048, 8192
)

// algorithms may sign a token: asymmetric ones only, so that a public key can never serve as
// a shared secret, and never none.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

var algorithmNames = func() (names []string) {
	for _, algorithm := range algorithms {
		names = append(names, string(algorithm))
	}
	return names
}()

var (
	// errNoKeys says that the signature could not be checked, which says nothing of the token.
	errNoKeys = errors.New("the keys cannot be read now")
	errSigned = errors.New("not signed by a key of the issuer")
)

// keySet holds the keys of an issuer. It implements go-oidc's KeySet. Unlike that of go-oidc,
// a token with an invented key ID cannot make it fetch keys more than once in [keysRest].
type keySet struct {
	config Kubernetes
	client *http.Client
	now    func() time.Time
	flight singleflight.Group
	ctx    context.Context
	cancel context.CancelFunc
	// slots bound concurrent checks of signatures, which anybody can ask for.
	slots chan struct{}

	mu    sync.Mutex
	keys  []jose.JSONWebKey
	at    time.Time // of keys
	tried time.Time // when the last fetch began
}

func newKeySet(config Kubernetes, now func() time.Time) *keySet {
	client := http.Client{}
	if config.Client != nil {
		client = *config.Client
	}
	// Keys come from where the configuration says, and from nowhere else.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k := &keySet{config: config, client: &client, now: now, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *keySet) close() { k.cancel() }

// causeKey is the key of a context's *error, which [keySet.VerifySignature] sets to its own:
// go-oidc does not wrap it.
type causeKey struct{}

// VerifySignature returns the payload of a token that one of the keys signed.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	payload, err := k.verify(ctx, raw)
	if cause, ok := ctx.Value(causeKey{}).(*error); ok {
		*cause = err
	}
	return payload, err
}

func (k *keySet) verify(ctx context.Context, raw string) ([]byte, error) {
	token, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, errSigned
	}
	header := token.Signatures[0].Protected
	if header.KeyID == "" || len(header.KeyID) > maxKeyID {
		return nil, errSigned // trying all keys would be expensive
	}
	keys, young := k.current()
	if !young || !slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool { return key.KeyID == header.KeyID }) {
		if keys, err = k.fetch(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return nil, errNoKeys
	}
	for _, key := range keys {
		if key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errSigned
}

// current returns the keys, and false if there are none that are young enough. If they are
// due for renewal, it starts one.
func (k *keySet) current() (keys []jose.JSONWebKey, young bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age := now.Sub(k.at)
	if age >= keysMaxAge {
		return nil, false
	}
	if age >= keysRenewAge && now.Sub(k.tried) >= keysRest {
		k.flight.DoChan("keys", k.renew)
	}
	return k.keys, true
}

// fetch returns keys that were fetched lately. It waits for a fetch, or starts one if the last
// is long enough ago.
func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	select {
	case <-ctx.Done():
		return nil, errNoKeys
	case <-k.flight.DoChan("keys", k.renew):
	}
	keys, young := k.current()
	if !young {
		return nil, errNoKeys
	}
	return keys, nil
}

// renew fetches the keys unless that was tried lately. Without an answer the old ones stay.
func (k *keySet) renew() (any, error) {
	now := k.now()
	k.mu.Lock()
	if !k.tried.IsZero() && now.Sub(k.tried) < keysRest {
		k.mu.Unlock()
		return nil, nil
	}
	k.tried = now
	k.mu.Unlock()
	// Under the set's own context: the caller may leave, and others still want the answer.
	ctx, cancel := context.WithTimeout(k.ctx, fetchTimeout)
	defer cancel()
	document, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(document)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.at = keys, now
	return nil, nil
}

func (k *keySet) read(ctx context.Context) ([]byte, error) {
	switch {
	case k.config.Keys == "":
		address, err := k.discover(ctx)
		if err != nil {
			return nil, err
		}
		return k.get(ctx, address, sameHost(address, k.config.Issuer))
	case strings.Contains(k.config.Keys, "://"):
		return k.get(ctx, k.config.Keys, true)
	}
	return regularfile.Read(k.config.Keys, maxKeyFile)
}

// discover returns where the issuer says that its keys are.
func (k *keySet) discover(ctx context.Context) (address string, err error) {
	document, err := k.get(ctx, strings.TrimSuffix(k.config.Issuer, "/")+"/.well-known/openid-configuration", true)
	if err != nil {
		return "", err
	}
	var answer struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &answer); err != nil {
		return "", errors.New("the discovery document is not JSON")
	}
	// OpenID Connect Discovery 1.0, section 4.3.
	if answer.Issuer != k.config.Issuer {
		return "", errors.New("the discovery document is that of another issuer")
	}
	return answer.Keys, secureURL(answer.Keys)
}

func sameHost(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

func (k *keySet) get(ctx context.Context, address string, credential bool) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("invalid URL")
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	if credential && k.config.Bearer != nil {
		if bearer := k.config.Bearer(); bearer != "" {
			request.Header.Set("Authorization", "Bearer "+bearer)
		}
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeyFile+1))
	if err == nil && len(body) > maxKeyFile {
		err = errors.New("the answer is too large")
	}
	return body, err
}

// parseKeys returns the keys of a JWKS that can sign a token. Others are skipped, as RFC 7517,
// section 5, asks.
func parseKeys(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errors.New("no JWKS")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && usable(&key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that could sign a token")
	}
	return keys, nil
}

func usable(key *jose.JSONWebKey) bool {
	if key.KeyID == "" || !key.Valid() || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits
	case *ecdsa.PublicKey:
		return true
	}
	return false // a secret, a private key, or a type that no accepted algorithm uses
}
