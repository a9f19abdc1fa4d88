package tokens

import "time"

// Freshness says how old, and how incomplete, facts may be for one reader of a shared
// [Resolver]. For example, a request that changes tokens can demand facts that are never stale while
// others tolerate some minutes.
type Freshness struct {
	// TTL is how long facts are used without asking again. A request in the last fifth
	// of it starts a refresh in the background, so that a token in steady use never
	// waits. 0 means to ask on every request.
	TTL time.Duration
	// NegativeTTL is how long a token stays unknown, or its own look-up fails, without
	// asking again.
	NegativeTTL time.Duration
	// MaxStale is how long past TTL facts are used while the workspace cannot be
	// asked; 0 means not at all.
	MaxStale time.Duration
	// UnknownExpiry accepts facts that do not say when the token expires. Without it
	// there is an [*UnavailableError] with [UnknownExpiry] in their place.
	UnknownExpiry bool
}

// DefaultFreshness holds the defaults of the cache block. Databricks itself takes up
// to ten minutes to apply a change of scopes, so a minute is within its own
// tolerance.
var DefaultFreshness = Freshness{
	TTL:         time.Minute,
	NegativeTTL: 10 * time.Second,
	MaxStale:    15 * time.Minute,
}

// Settings are shared by all readers of one [Resolver].
type Settings struct {
	// Size is how many tokens are cached. The true limit is a little higher, because
	// the cache has sixteen shards with some spare room each. A token takes about half
	// a kilobyte.
	Size int
	// Rate is how many look-ups may start per second on average. After a quiet second
	// as many again, and a few more, may start at once. Half is reserved for known
	// tokens and a quarter for tokens that were turned away before; others may use what
	// these leave.
	Rate int
	// Concurrency is how many look-ups may run at once. A fourth, rounded up, is
	// reserved for known tokens.
	Concurrency int
	// Timeout bounds one look-up, including the wait for its turn. Nothing waits for a
	// turn that is more than a second away.
	Timeout time.Duration
	// Sync is how often the facts about all tokens are refreshed from the list of all
	// tokens, in one request. The first refresh runs at a random moment within this
	// time after the first look-up. 0, the default, means never. A revoked token is
	// then unknown after this time at the latest. Give readers a TTL of at least twice
	// Sync; otherwise look-ups continue beside it.
	Sync time.Duration
}

// DefaultSettings holds the defaults of the cache and lookup blocks.
var DefaultSettings = Settings{
	Size:        100_000,
	Rate:        10,
	Concurrency: 8,
	Timeout:     5 * time.Second,
}
