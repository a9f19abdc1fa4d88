package tokens

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Errors of [Verifier.Verify]. They never quote the token. Everything that makes a
// token unacceptable is one error, so that nobody can feel their way to a better
// forgery; only the holder of a token that was good learns that it has expired.
var (
	ErrInvalidJWT = errors.New("the access token is not one that this workspace issued for its API")
	ErrExpiredJWT = errors.New("the access token has expired")
)

const (
	// maxVerified bounds the tokens that are remembered as good. Only good ones
	// are, so invented tokens cannot push anything out.
	maxVerified = 10_000

	// verifiedAge is how long the verdict on a signature is used again. It is no
	// longer than the keys themselves are believed.
	verifiedAge = keysMaxAge
)

// Verifier tells what an OAuth access token (a JWT) of one workspace may do. It
// believes the signature of the workspace's own OAuth server and nobody else's:
//
//   - The issuer is the workspace URL's scheme and host with the path /oidc, and
//     the keys come from that host. Tokens of the account's issuer
//     (accounts.cloud.databricks.com), of Entra ID and of federated identity
//     providers are other issuers' and are refused.
//   - The audience is, or contains, the id of the workspace, which is what
//     Databricks puts there. It is taken from ?o= of the workspace URL, else from
//     the workspace's /.well-known/databricks-config. The same issuer also signs ID
//     tokens and tokens for Databricks Apps; their audience is a client id, and
//     they are refused.
//   - The scopes are never empty. A token that names no API scope is refused, since
//     elsewhere in this package no scopes means every scope.
//
// A good token is verified once in five minutes; its expiry is judged on every
// call. A key that the workspace withdraws is noticed within five minutes, and so
// is every token that it signed: keys are not believed for longer than that, not
// even while the workspace cannot be asked.
//
// A Verifier is safe for concurrent use and meant to be shared.
type Verifier struct {
	keys     *jwtKeys
	issuer   string
	verified *lru.Cache[ID, verdict]
	now      func() time.Time
	timeout  time.Duration

	// Signatures cost three orders of magnitude more than anything else here, and
	// what is needed to ask for one (issuer, audience, key id) is public.
	slots chan struct{}

	misconfigured error
}

// verdict is what is remembered of a good token. It holds only as long as the key
// that signed the token is published.
type verdict struct {
	info *Info
	kid  string
	key  thumbprint
	at   time.Time
}

// VerifierOption changes how a [Verifier] is made.
type VerifierOption func(*Verifier)

// WithVerifierClock replaces time.Now, for tests.
func WithVerifierClock(now func() time.Time) VerifierOption {
	return func(v *Verifier) { v.now = now }
}

// NewVerifier returns a verifier for the tokens of a workspace. The URL may carry
// the workspace's id as ?o=, which is needed only where the workspace does not
// tell it. The timeout bounds each round of questions to the workspace. Nothing is
// asked before the first [Verifier.Verify].
func NewVerifier(workspace string, timeout time.Duration, options ...VerifierOption) *Verifier {
	verified, err := lru.New[ID, verdict](maxVerified)
	if err != nil {
		panic("tokens: " + err.Error()) // the size is a constant
	}
	v := &Verifier{
		verified: verified,
		now:      time.Now,
		timeout:  timeout,
		slots:    make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
	}
	for _, option := range options {
		option(v)
	}
	server, err := newOAuthServer(workspace, timeout)
	if err != nil {
		v.misconfigured = &UnavailableError{Outage: NotConfigured, Err: err}
		server = &oauthServer{client: newTransport(timeout)}
	}
	v.issuer = server.issuer
	v.keys = newJWTKeys(server, timeout, v.now)
	return v
}

// Close ends what is under way and lets go of connections.
func (v *Verifier) Close() { v.keys.close() }

// Verify returns what a token says of itself, if the workspace signed it: the
// owner's name in CreatorName, its scopes, when it was made and when it ends. It
// returns [ErrInvalidJWT] or [ErrExpiredJWT] for a token that must be refused, an
// [*UnavailableError] where that cannot be told now, and the context's error when
// the caller left. The Info is shared and must not be changed.
//
// The checks go from cheap to dear: shape, header, claims, key id, signature. A
// token that does not claim to be of this workspace causes no request to it.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Info, error) {
	if v.misconfigured != nil {
		return nil, v.misconfigured
	}
	if !isJWT(raw) {
		return nil, ErrInvalidJWT
	}
	id := IDOf(raw)
	if info := v.remembered(id); info != nil {
		return v.alive(info)
	}
	token, err := parseJWT(raw)
	if err != nil {
		return nil, err
	}
	if token.claims.Issuer != v.issuer {
		return nil, ErrInvalidJWT
	}
	set, err := v.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(token.audience, set.audience) || !slices.Contains(set.algorithms, token.algorithm) {
		return nil, ErrInvalidJWT
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
	v.verified.Add(id, verdict{info: info, kid: token.header.KeyID, key: key, at: now})
	return info, nil
}

// remembered returns the facts about a token whose signature need not be verified
// again, or nil.
func (v *Verifier) remembered(id ID) *Info {
	known, ok := v.verified.Get(id)
	if !ok {
		return nil
	}
	now := v.now()
	set := v.keys.young(now)
	if set == nil || now.Sub(known.at) >= verifiedAge || !set.has(known.kid, known.key) {
		return nil
	}
	return known.info
}

func (v *Verifier) alive(info *Info) (*Info, error) {
	if info.Expired(v.now()) {
		return nil, ErrExpiredJWT
	}
	return info, nil
}

// signer returns the key that signed the token.
func (v *Verifier) signer(ctx context.Context, raw string, token *jwt, keys []verifyingKey) (thumbprint, error) {
	patience := time.NewTimer(v.timeout)
	defer patience.Stop()
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return thumbprint{}, ctx.Err()
	case <-patience.C:
		return thumbprint{}, &UnavailableError{Outage: Overloaded, RetryAfter: time.Second}
	}
	for _, key := range keys {
		// What was judged must be what was signed, whatever two decoders make of it.
		if payload, ok := key.verify(raw, token.algorithm); ok && bytes.Equal(payload, token.payload) {
			return key.print, nil
		}
	}
	return thumbprint{}, ErrInvalidJWT
}
