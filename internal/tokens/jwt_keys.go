package tokens

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
)

const (
	// keysMaxAge is how long published keys are believed without asking again. It
	// is the longest time for which a withdrawn key may still be accepted.
	keysMaxAge = 5 * time.Minute

	// keysRenewAge is when they are fetched again in the background, early enough
	// for a short outage to pass unnoticed.
	keysRenewAge = keysMaxAge / 2

	// metadataMaxAge is how long the server's metadata is used. It changes next to
	// never, and is read again when the keys are not where it says.
	metadataMaxAge = time.Hour

	// A key id that is not known may be that of a new key, so the keys are fetched
	// again: some times in a row, because keys may change twice, and then at most
	// once per rotationInterval, because anyone can invent key ids.
	rotationInterval = 10 * time.Second
	rotationBurst    = 3

	// maxAbsent bounds the key ids remembered as unknown.
	maxAbsent = 256
)

// keySet is what the workspace published at one time. It is never changed.
type keySet struct {
	at          time.Time // when it was asked
	workspaceID int64
	audience    string
	algorithms  []jose.SignatureAlgorithm
	byID        map[string][]verifyingKey
}

// has reports whether a key is published.
func (s *keySet) has(kid string, print thumbprint) bool {
	for _, key := range s.byID[kid] {
		if key.print == print {
			return true
		}
	}
	return false
}

// jwtKeys keeps the keys of a workspace: fetched when first needed, by one fetch
// for all who wait, and again when they grow old or an unknown one is named.
type jwtKeys struct {
	server  *oauthServer
	now     func() time.Time
	timeout time.Duration

	set      atomic.Pointer[keySet]
	metadata *oauthMetadata // of the flight "keys" alone
	flights  singleflight.Group
	breaker  breaker
	renewed  atomic.Int64 // when a renewal in the background was last begun
	limiter  *rate.Limiter
	absent   *lru.Cache[string, time.Time]

	// As in the Resolver, fetches outlive the caller who began them.
	ctx    context.Context
	cancel context.CancelFunc
}

func newJWTKeys(server *oauthServer, timeout time.Duration, now func() time.Time) *jwtKeys {
	absent, err := lru.New[string, time.Time](maxAbsent)
	if err != nil {
		panic("tokens: " + err.Error()) // the size is a constant
	}
	k := &jwtKeys{
		server:  server,
		now:     now,
		timeout: timeout,
		limiter: rate.NewLimiter(rate.Every(rotationInterval), rotationBurst),
		absent:  absent,
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *jwtKeys) close() {
	k.cancel()
	k.server.client.close()
}

// current returns keys that are young enough to be believed.
func (k *jwtKeys) current(ctx context.Context) (*keySet, error) {
	seen := k.set.Load()
	if set := k.young(k.now()); set != nil {
		return set, nil
	}
	return k.wait(ctx, k.flights.DoChan("keys", func() (any, error) { return k.fetch(seen) }))
}

// young returns the keys at hand if they may still be believed, or nil. When they
// are due it begins to renew them.
func (k *jwtKeys) young(now time.Time) *keySet {
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

// find returns the keys of an id, of which there is one in practice. For an id
// that is not in the set it asks the workspace, within limits.
func (k *jwtKeys) find(ctx context.Context, set *keySet, kid string) ([]verifyingKey, error) {
	if keys := set.byID[kid]; len(keys) > 0 {
		return keys, nil
	}
	if at, ok := k.absent.Get(kid); ok && k.now().Sub(at) < rotationInterval {
		return nil, ErrInvalidJWT
	}
	// A flight of its own, so that those who need any keys at all do not share the
	// fate of those who invent key ids.
	set, err := k.wait(ctx, k.flights.DoChan("rotation", func() (any, error) { return k.rotate(set) }))
	if err != nil {
		return nil, err
	}
	if keys := set.byID[kid]; len(keys) > 0 {
		return keys, nil
	}
	k.absent.Add(kid, k.now())
	return nil, ErrInvalidJWT
}

func (k *jwtKeys) rotate(seen *keySet) (*keySet, error) {
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	if !k.limiter.AllowN(k.now(), 1) {
		// Not "invalid": nobody looked. A client that tries again will be told.
		return nil, &UnavailableError{Outage: Overloaded, RetryAfter: rotationInterval, Err: errors.New("many access tokens name unknown keys")}
	}
	return k.wait(k.ctx, k.flights.DoChan("keys", func() (any, error) { return k.fetch(seen) }))
}

// wait lets a caller leave before the flight ends.
func (k *jwtKeys) wait(ctx context.Context, flight <-chan singleflight.Result) (*keySet, error) {
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

// fetch asks the workspace, unless somebody did since the caller looked. It runs
// in the flight "keys" only, so there is one at a time.
func (k *jwtKeys) fetch(seen *keySet) (*keySet, error) {
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	if _, err := k.breaker.allow(k.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.timeout)
	defer cancel()
	set, err := k.ask(ctx)
	if k.ctx.Err() != nil {
		return nil, &UnavailableError{Outage: Closed}
	}
	if err != nil {
		k.metadata = nil
		var outage *UnavailableError
		if !errors.As(err, &outage) {
			outage = &UnavailableError{Outage: BadAnswer, Err: err}
		}
		k.breaker.failed(k.now(), outage)
		return nil, outage
	}
	k.breaker.succeeded()
	k.set.Store(set)
	return set, nil
}

func (k *jwtKeys) ask(ctx context.Context) (*keySet, error) {
	now := k.now() // before asking: the answer is at least this young
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
