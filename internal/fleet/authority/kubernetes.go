package authority

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// maxVerified bounds the cache of verified tokens. Only valid ones enter it.
	maxVerified = 10_000
	// verifiedAge is how long a signature is trusted without checking it again, and so the
	// longest time for which a key that was withdrawn is.
	verifiedAge = 5 * time.Minute
	// checkTimeout bounds the wait for keys, and for a turn to check a signature.
	checkTimeout = 3 * time.Second
)

// Kubernetes lets in service accounts by their projected tokens: JWTs that the cluster signs
// for one audience. A token is good until it expires, an hour by default, even if its pod is
// deleted before.
type Kubernetes struct {
	// Issuer is that of the cluster, as its tokens say.
	Issuer string
	// Audience is the one that tokens must be for. Nobody else should use it.
	Audience string
	// Keys is where the cluster's keys are: a URL or the absolute path of a file with a JWKS.
	// If empty, the issuer's discovery document says where.
	Keys string
	// Accounts are the service accounts let in, as namespace/name.
	Accounts []string
	// Client asks for keys; nil for a client with the system's roots.
	Client *http.Client
	// Bearer returns the credential with which keys are asked for, as most clusters want one.
	// It is sent to the host of Keys, or of the issuer, only. nil for none.
	Bearer func() string
}

var (
	accountForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)
	podForm     = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)
)

func (k *Kubernetes) validate() error {
	switch {
	case k.Issuer == "":
		return errors.New("kubernetes has no issuer; kubectl get --raw /.well-known/openid-configuration shows it")
	case k.Audience == "":
		return errors.New("kubernetes has no audience; choose one, and set it in the projected volume of edges")
	case len(k.Accounts) == 0:
		return errors.New("kubernetes has no service_account; name those of edges, as <namespace>/<name>")
	}
	for _, account := range k.Accounts {
		if !accountForm.MatchString(account) {
			return fmt.Errorf("service_account %q is not <namespace>/<name>", account)
		}
	}
	switch {
	case k.Keys == "":
		if err := secureURL(k.Issuer); err != nil {
			return fmt.Errorf("the issuer, %q, cannot be asked for its keys: %w; set jwks", k.Issuer, err)
		}
	case strings.Contains(k.Keys, "://"):
		if err := secureURL(k.Keys); err != nil {
			return fmt.Errorf("jwks %q: %w", k.Keys, err)
		}
	case !filepath.IsAbs(k.Keys):
		return fmt.Errorf("jwks %q is neither a URL nor an absolute path", k.Keys)
	}
	return nil
}

// errAccount says that a token is good and its service account is not let in.
var errAccount = errors.New("the service account is not let in")

// serviceAccounts verifies the tokens of service accounts.
type serviceAccounts struct {
	config   Kubernetes
	keys     *keySet
	verifier *oidc.IDTokenVerifier
	now      func() time.Time

	mu       sync.Mutex
	verified *simplelru.LRU[[sha256.Size]byte, verifiedAccount]
}

type verifiedAccount struct {
	who *identity
	at  time.Time
}

func newServiceAccounts(config Kubernetes, now func() time.Time) *serviceAccounts {
	verified, err := simplelru.NewLRU[[sha256.Size]byte, verifiedAccount](maxVerified, nil)
	if err != nil {
		panic("authority: " + err.Error()) // the size is a constant
	}
	k := &serviceAccounts{
		config: config, keys: newKeySet(config, now), now: now, verified: verified,
	}
	k.verifier = oidc.NewVerifier(config.Issuer, k.keys, &oidc.Config{
		ClientID: config.Audience, SupportedSigningAlgs: algorithmNames, Now: now,
	})
	return k
}

func (k *serviceAccounts) close() { k.keys.close() }

// identify verifies a token. Its error is [errAccount] or [errNoKeys], or any other for a
// token that is not good.
func (k *serviceAccounts) identify(ctx context.Context, raw string, hash [sha256.Size]byte) (*identity, error) {
	if who := k.cached(hash); who != nil {
		return who, nil
	}
	if !tokens.IsJWT(raw) {
		return nil, errors.New("no JWT")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var cause error
	token, err := k.verifier.Verify(context.WithValue(ctx, causeKey{}, &cause), raw)
	switch {
	case errors.Is(cause, errNoKeys):
		return nil, errNoKeys
	case err != nil:
		return nil, err
	}
	who, err := k.identityOf(token)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.verified.Add(hash, verifiedAccount{who, k.now()})
	return who, nil
}

func (k *serviceAccounts) cached(hash [sha256.Size]byte) *identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.verified.Get(hash)
	if !ok {
		return nil
	}
	now := k.now()
	if age := now.Sub(found.at); age < 0 || age >= verifiedAge || !now.Before(found.who.until) {
		k.verified.Remove(hash)
		return nil
	}
	return found.who
}

// accountClaims are what Kubernetes says of a service account, beside the claims of any JWT.
type accountClaims struct {
	Kubernetes struct {
		Namespace string `json:"namespace"`
		Account   struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
		Pod struct {
			Name string `json:"name"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

// identityOf reads a verified token.
func (k *serviceAccounts) identityOf(token *oidc.IDToken) (*identity, error) {
	var payload json.RawMessage
	var claims accountClaims
	if err := token.Claims(&payload); err != nil {
		return nil, err
	}
	if err := strictjson.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	said := &claims.Kubernetes
	account := said.Namespace + "/" + said.Account.Name
	if !accountForm.MatchString(account) || token.Subject != "system:serviceaccount:"+said.Namespace+":"+said.Account.Name {
		return nil, errors.New("no token of a service account")
	}
	if !slices.Contains(k.config.Accounts, account) {
		return nil, errAccount
	}
	name := account
	if said.Pod.Name != "" {
		if !podForm.MatchString(said.Pod.Name) {
			return nil, errors.New("no name of a pod")
		}
		name = said.Namespace + "/" + said.Pod.Name
	}
	// Tokens without a pod share the account's name, so the key says which of both it is.
	return &identity{key: "service_account\x00" + account + "\x00" + said.Pod.Name, name: shown(name, maxName), until: token.Expiry}, nil
}
