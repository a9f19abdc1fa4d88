package tokens

import "time"

// Freshness says how old facts may be for one reader of a shared [Resolver]. A
// request that changes tokens, say, can ask for facts that are never stale while
// others put up with some minutes.
type Freshness struct {
	// TTL is how long facts are used without asking again. Who asks in the last
	// fifth of it makes the resolver refresh them in the background, so that a
	// token in steady use never waits. 0 means to ask for every request.
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
	// Size is how many tokens are remembered, or some more: the memory is in
	// sixteen parts, and each has a little room to spare. A token takes about half
	// a kilobyte.
	Size int
	// Rate is how many look-ups may start in a second, over any longer time; as
	// many again, and a few, may start at once after a quiet second. Half is kept for tokens
	// that are known already, a quarter for tokens that were turned away before;
	// what either does not use, others may.
	Rate int
	// Concurrency is how many look-ups may be under way at once. A fourth, rounded
	// up, is kept for tokens that are known already.
	Concurrency int
	// Timeout bounds one look-up, waiting for its turn included. Nothing waits for a
	// turn that is more than a second away.
	Timeout time.Duration
	// Sync is how often the facts about all tokens are refreshed by one request for
	// the whole list, the first time at a random moment within that time after
	// the first look-up; 0, the default, is never. A revoked token is then unknown
	// after that time at the latest. Give readers a TTL of at least twice Sync, or
	// look-ups will go on beside it.
	Sync time.Duration
}

// DefaultSettings are the defaults of the cache and lookup blocks.
var DefaultSettings = Settings{
	Size:        100_000,
	Rate:        10,
	Concurrency: 8,
	Timeout:     5 * time.Second,
}
