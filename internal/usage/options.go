package usage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"time"
)

// The default limits. An operation of a token takes about 200 bytes, so all of them
// together stay near 100 MB.
const (
	defaultMaxTokens     = 10_000
	defaultMaxOperations = 500
	defaultMaxEntries    = 500_000
	defaultMaxSummaries  = 100_000
)

// Options are the limits of a [Ledger] and its clock. The zero value means the
// defaults.
type Options struct {
	// MaxTokens is how many tokens are kept with their operations; default 10,000.
	// Of the least recently used ones, only summaries stay.
	MaxTokens int
	// MaxOperations is how many operations of each token are kept; default 500. The
	// least recently used ones go first.
	MaxOperations int
	// MaxEntries is how many operations of all tokens together are kept; default
	// 500,000, about 100 MB. Beyond it, whole tokens go.
	MaxEntries int
	// MaxSummaries is how many tokens are kept without their operations; default
	// 100,000, about 30 MB. Beyond it, the least recently used ones are counted only.
	MaxSummaries int
	// Now returns the current time; default time.Now.
	Now func() time.Time
	// Scopes asks the workspace for the scopes of a token, and returns when it was asked.
	// Nil means that it cannot be asked: then answers count only if the scopes of the token
	// are certain.
	Scopes func(ctx context.Context, id [sha256.Size]byte) (scopes []string, at time.Time, err error)
	// ConfirmRate is how often Scopes is called in a second, after a burst; default, and at
	// most, 1.
	ConfirmRate float64
}

func (o Options) withDefaults() Options {
	o.MaxTokens = cmp.Or(max(0, o.MaxTokens), defaultMaxTokens)
	o.MaxEntries = cmp.Or(max(0, o.MaxEntries), defaultMaxEntries)
	o.MaxSummaries = cmp.Or(max(0, o.MaxSummaries), defaultMaxSummaries)
	o.MaxOperations = min(cmp.Or(max(0, o.MaxOperations), defaultMaxOperations), o.MaxEntries)
	if o.ConfirmRate <= 0 || o.ConfirmRate > confirmRate {
		o.ConfirmRate = confirmRate
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
