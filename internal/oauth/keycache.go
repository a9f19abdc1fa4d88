package oauth

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// keysMaxAge is how long published keys are trusted without fetching them again,
	// and so the longest time for which a withdrawn key may still be accepted.
	keysMaxAge = 5 * time.Minute

	// keysRenewAge is when keys are renewed in the background, early enough to ride
	// out a short outage.
	keysRenewAge = keysMaxAge / 2

	// metadataMaxAge is how long the server's metadata is used. It rarely changes, and
	// is read again when a fetch of the keys fails.
	metadataMaxAge = time.Hour

	// An unknown key ID may belong to a new key, so the keys are fetched again. The
	// burst is for keys that change twice in a row; after it, one fetch per
	// rotationInterval, because anyone can invent key IDs. While somebody does, tokens
	// of a new key are refused for that long at most.
	rotationInterval = 2 * time.Second
	rotationBurst    = 3

	// maxAbsent bounds the cache of unknown key IDs.
	maxAbsent = 256
)

// keySet is what the workspace published at one time. It is immutable.
type keySet struct {
	at          time.Time // when the request was sent
	workspaceID int64
	audience    string
	algorithms  []jose.SignatureAlgorithm
	byID        map[string][]publicKey
}

// has reports whether a key is published.
func (s *keySet) has(kid string, wanted thumbprint) bool {
	for _, key := range s.byID[kid] {
		if key.print == wanted {
			return true
		}
	}
	return false
}

// keyCache holds the keys of a workspace. It fetches them on first use, renews them
// before they get too old, and fetches them again when a token names an unknown
// key. Concurrent callers share one fetch.
type keyCache struct {
	server  *authServer
	now     func() time.Time
	timeout time.Duration

	set      atomic.Pointer[keySet]
	metadata *serverMetadata // used only within the flight "keys"
	flights  singleflight.Group
	breaker  tokens.Breaker
	renewed  atomic.Int64 // when the last background renewal started
	limiter  *rate.Limiter
	absent   *lru.Cache[string, time.Time]

	// Fetches run under the cache's context, not the first caller's: when that caller
	// leaves, the others still want the answer.
	ctx    context.Context
	cancel context.CancelFunc
}

func newKeyCache(server *authServer, timeout time.Duration, now func() time.Time) *keyCache {
	absent, err := lru.New[string, time.Time](maxAbsent)
	if err != nil {
		panic("oauth: " + err.Error()) // the size is a constant
	}
	k := &keyCache{
		server:  server,
		now:     now,
		timeout: timeout,
		limiter: rate.NewLimiter(rate.Every(rotationInterval), rotationBurst),
		absent:  absent,
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *keyCache) close() {
	k.cancel()
	k.server.client.Close()
}

// current returns keys that are young enough to trust.
func (k *keyCache) current(ctx context.Context) (*keySet, error) {
	seen := k.set.Load()
	if set := k.trusted(k.now()); set != nil {
		return set, nil
	}
	return k.wait(ctx, k.flights.DoChan("keys", func() (any, error) { return k.fetch(seen) }))
}

// trusted returns the cached keys, or nil if there are none young enough. If they are
// due for renewal it starts one in the background.
func (k *keyCache) trusted(now time.Time) *keySet {
	set := k.set.Load()
	if set == nil {
		return nil
	}
	age := now.Sub(set.at)
	if age >= keysMaxAge {
		return nil
	}
	if age >= keysRenewAge {
		last := k.renewed.Load()
		if now.UnixNano()-last >= int64(time.Second) && k.renewed.CompareAndSwap(last, now.UnixNano()) {
			k.flights.DoChan("keys", func() (any, error) { return k.fetch(set) })
		}
	}
	return set
}

// find returns the keys with an ID: in practice one. For an ID that is not in the
// set it asks the workspace, within limits.
func (k *keyCache) find(ctx context.Context, set *keySet, kid string) ([]publicKey, error) {
	if keys := set.byID[kid]; len(keys) > 0 {
		return keys, nil
	}
	if at, ok := k.absent.Get(kid); ok && k.now().Sub(at) < rotationInterval {
		return nil, ErrInvalid
	}
	// A separate flight: callers who need any keys at all must not fail because of
	// callers who invent key IDs.
	set, err := k.wait(ctx, k.flights.DoChan("rotation", func() (any, error) { return k.rotate(set) }))
	if err != nil {
		return nil, err
	}
	if keys := set.byID[kid]; len(keys) > 0 {
		return keys, nil
	}
	k.absent.Add(kid, k.now())
	return nil, ErrInvalid
}

func (k *keyCache) rotate(seen *keySet) (*keySet, error) {
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	if !k.limiter.AllowN(k.now(), 1) {
		// Not ErrInvalid: the key may exist. A client that retries gets an answer.
		return nil, &tokens.UnavailableError{
			Outage: tokens.Overloaded, RetryAfter: rotationInterval,
			Err: errors.New("too many access tokens name unknown keys; if it persists, look for a client that sends forged or foreign tokens"),
		}
	}
	return k.wait(k.ctx, k.flights.DoChan("keys", func() (any, error) { return k.fetch(seen) }))
}

// wait lets a caller leave before the flight ends.
func (k *keyCache) wait(ctx context.Context, flight <-chan singleflight.Result) (*keySet, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*keySet), nil
	}
}

// fetch asks the workspace, unless the keys have changed since the caller looked. It
// runs only within the flight "keys", so fetches never overlap.
func (k *keyCache) fetch(seen *keySet) (*keySet, error) {
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	if _, err := k.breaker.Allow(k.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.timeout)
	defer cancel()
	set, err := k.ask(ctx)
	if k.ctx.Err() != nil {
		return nil, &tokens.UnavailableError{Outage: tokens.Closed}
	}
	if err != nil {
		k.metadata = nil
		var outage *tokens.UnavailableError
		if !errors.As(err, &outage) {
			outage = &tokens.UnavailableError{Outage: tokens.BadAnswer, Err: err}
		}
		k.breaker.Failed(k.now(), outage)
		return nil, outage
	}
	k.breaker.Succeeded()
	k.set.Store(set)
	return set, nil
}

func (k *keyCache) ask(ctx context.Context) (*keySet, error) {
	now := k.now() // before asking: the answer is no older than this
	if k.metadata == nil || now.Sub(k.metadata.at) >= metadataMaxAge {
		metadata, err := k.server.discover(ctx)
		if err != nil {
			return nil, err
		}
		metadata.at = now
		k.metadata = metadata
	}
	byID, err := k.server.fetchKeys(ctx, k.metadata.keysURL)
	if err != nil {
		return nil, err
	}
	return &keySet{
		at:          now,
		workspaceID: k.metadata.workspaceID,
		audience:    strconv.FormatInt(k.metadata.workspaceID, 10),
		algorithms:  k.metadata.algorithms,
		byID:        byID,
	}, nil
}
