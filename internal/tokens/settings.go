package tokens

import "time"

// Freshness says how old facts may be for one reader of a shared [Resolver].
type Freshness struct {
	// TTL is how long facts are used without asking again.
	TTL time.Duration
	// NegativeTTL is how long a token stays unknown without asking again.
	NegativeTTL time.Duration
	// MaxStale is how long past TTL facts are used while the workspace cannot be
	// asked; 0 means not at all.
	MaxStale time.Duration
}

// DefaultFreshness are the defaults of the cache block. Databricks itself takes
// up to ten minutes to apply a change of scopes, so that a minute of ours is
// within its own tolerance.
var DefaultFreshness = Freshness{
	TTL:         time.Minute,
	NegativeTTL: 10 * time.Second,
	MaxStale:    15 * time.Minute,
}

// Settings are what the readers of one [Resolver] share.
type Settings struct {
	// Size is how many tokens are remembered.
	Size int
	// Rate is how many look-ups may start in a second.
	Rate int
	// Concurrency is how many look-ups may be under way at once.
	Concurrency int
	// Timeout bounds one look-up, waiting for its turn included.
	Timeout time.Duration
}

// DefaultSettings are the defaults of the cache and lookup blocks.
var DefaultSettings = Settings{
	Size:        100_000,
	Rate:        10,
	Concurrency: 8,
	Timeout:     5 * time.Second,
}
