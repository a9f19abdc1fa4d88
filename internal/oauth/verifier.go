package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/scopegate/scopegate/internal/tokens"
)

// Errors of [Verifier.Verify]. They never quote the token. All reasons to reject a
// token share one error, so that a forger learns nothing from it. Only the holder
// of a token that was once valid learns that it has expired. ErrForeign is an ErrInvalid of
// a token that names another issuer than this workspace, which its sender knows anyway.
var (
	ErrInvalid = errors.New("the access token is not one that this workspace issued for its API")
	ErrForeign = fmt.Errorf("%w: it names another issuer", ErrInvalid)
	ErrExpired = errors.New("the access token has expired")
)

const (
	// maxVerified bounds the cache of verified tokens. Only valid tokens enter it,
	// so invented ones cannot evict them.
	maxVerified = 10_000

	// verifiedAge is how long a verified signature is trusted without checking it
	// again. It must not exceed the time for which keys are trusted.
	verifiedAge = keysMaxAge
)

// Verifier verifies the OAuth access tokens of one workspace. It trusts signatures
// of the workspace's own OAuth server only:
//
//   - The issuer is the workspace URL's scheme and host with the path /oidc, and
//     the keys come from that host. Tokens issued by the account
//     (accounts.cloud.databricks.com), Entra ID or federated identity providers are
//     rejected.
//   - The audience is, or contains, the workspace ID, which is what Databricks puts
//     there. The ID comes from ?o= of the workspace URL, or else from the
//     workspace's /.well-known/databricks-config. The same issuer also signs ID
//     tokens and tokens for Databricks Apps; their audience is a client ID, and
//     they are rejected.
//   - The scopes are never empty. A token that names no API scope is rejected,
//     because in [tokens.Info] no scopes means all scopes.
//
// A signature is verified once in five minutes; expiry is checked on every call.
// When the workspace withdraws a key, the key and all tokens signed with it are
// rejected within five minutes: keys are not trusted for longer, even while the
// workspace cannot be reached.
//
// A Verifier is safe for concurrent use and meant to be shared.
type Verifier struct {
	keys     *keyCache
	issuer   string
	verified *lru.Cache[tokens.ID, verifiedToken]
	now      func() time.Time
	timeout  time.Duration

	// slots bound concurrent signature checks: they cost a thousand times more than
	// anything else here, and everything needed to request one (issuer, audience, key
	// ID) is public.
	slots chan struct{}

	misconfigured error

	// Verified, unless nil, is told what a token says when its signature was checked, and
	// so again of the same token every few minutes. It must not block. Set it before the
	// first [Verifier.Verify].
	Verified func(*tokens.Info)
}

// verifiedToken is a cache entry. It is valid only while the key that signed the
// token is published.
type verifiedToken struct {
	info *tokens.Info
	kid  string
	key  thumbprint
	at   time.Time
}

// NewVerifier returns a verifier for the tokens of a workspace. The URL may carry
// the workspace ID as ?o=, which is needed only if the workspace does not publish
// it. The timeout bounds one fetch of metadata and keys. NewVerifier makes no
// requests; the first [Verifier.Verify] does. Close it.
func NewVerifier(workspace string, timeout time.Duration) *Verifier {
	return newVerifier(workspace, timeout, time.Now)
}

func newVerifier(workspace string, timeout time.Duration, now func() time.Time) *Verifier {
	verified, err := lru.New[tokens.ID, verifiedToken](maxVerified)
	if err != nil {
		panic("oauth: " + err.Error()) // the size is a constant
	}
	v := &Verifier{
		verified: verified,
		now:      now,
		timeout:  timeout,
		slots:    make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
	}
	server, err := newAuthServer(workspace, timeout)
	if err != nil {
		v.misconfigured = &tokens.UnavailableError{Outage: tokens.NotConfigured, Err: err}
		server = &authServer{client: tokens.NewTransport(timeout)}
	}
	v.issuer = server.issuer
	v.keys = newKeyCache(server, timeout, now)
	return v
}

// Close cancels fetches in progress and closes connections.
func (v *Verifier) Close() { v.keys.close() }

// Verify returns what a token says of itself, if the workspace signed it: the
// name of its owner and creator (who are the same), the scopes, and when the token was created and
// expires. It returns [ErrInvalid] or [ErrExpired] for a token that must be
// rejected, a [*tokens.UnavailableError] if the workspace could not be asked for
// its keys, and the context's error if the caller left. The Info is shared; do not
// change it.
//
// Checks run from cheap to expensive: shape, header, claims, key ID, signature. A
// token that does not claim to be from this workspace causes no request to it.
func (v *Verifier) Verify(ctx context.Context, raw string) (*tokens.Info, error) {
	if v.misconfigured != nil {
		return nil, v.misconfigured
	}
	if !tokens.IsJWT(raw) {
		return nil, ErrInvalid
	}
	id := tokens.IDOf(raw)
	if info := v.cached(id); info != nil {
		if info.Expired(v.now()) {
			return nil, ErrExpired
		}
		return info, nil
	}
	token, err := parseToken(raw)
	if err != nil {
		return nil, err
	}
	if token.claims.Issuer != v.issuer {
		return nil, ErrForeign
	}
	set, err := v.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(token.audience, set.audience) || !slices.Contains(set.algorithms, token.algorithm) {
		return nil, ErrInvalid
	}
	candidates, err := v.keys.find(ctx, set, token.header.KeyID)
	if err != nil {
		return nil, err
	}
	key, err := v.signer(ctx, raw, token, candidates)
	if err != nil {
		return nil, err
	}
	now := v.now()
	if err := token.claims.validAt(now); err != nil {
		return nil, err
	}
	info := token.info(id, set.workspaceID)
	v.verified.Add(id, verifiedToken{info: info, kid: token.header.KeyID, key: key, at: now})
	if v.Verified != nil {
		v.Verified(info)
	}
	return info, nil
}

// cached returns the facts about a token whose signature need not be verified
// again, or nil.
func (v *Verifier) cached(id tokens.ID) *tokens.Info {
	entry, ok := v.verified.Get(id)
	if !ok {
		return nil
	}
	now := v.now()
	set := v.keys.trusted(now)
	if set == nil || now.Sub(entry.at) >= verifiedAge || !set.has(entry.kid, entry.key) {
		return nil
	}
	return entry.info
}

// signer returns the thumbprint of the key that signed the token.
func (v *Verifier) signer(ctx context.Context, raw string, token *token, keys []publicKey) (thumbprint, error) {
	timer := time.NewTimer(v.timeout)
	defer timer.Stop()
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return thumbprint{}, ctx.Err()
	case <-timer.C:
		return thumbprint{}, &tokens.UnavailableError{Outage: tokens.Overloaded, RetryAfter: time.Second}
	}
	for _, key := range keys {
		// The payload that was judged must be the payload that was signed, even if two
		// decoders read the text differently.
		if payload, ok := key.verify(raw, token.algorithm); ok && bytes.Equal(payload, token.payload) {
			return key.print, nil
		}
	}
	return thumbprint{}, ErrInvalid
}
