package usage

import (
	"crypto/sha256"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Answer is what the workspace's answer to one request says about scopes.
type Answer struct {
	// Operation is the row that the request was judged by.
	Operation *scopes.Operation
	// Held are the scopes of the token. The caller must not change them.
	Held []string
	// Agreed means that the answer agrees with the row.
	Agreed bool
	// Named are the scopes that a refusal named, sorted. They are empty if the request
	// passed.
	Named []string
	// Together means that all of Named are needed.
	Together bool
	// At is when the request arrived.
	At time.Time
	// Token is the token's id. Zero means that Held are its scopes for certain, as those
	// of a token that states them itself.
	Token [sha256.Size]byte
	// KnownAt is when the workspace was asked for Held.
	KnownAt time.Time
	// Disagreed is called when an answer that disagrees is counted, which may be later and
	// from another goroutine. First means that it is the first one for its row. Nil is valid.
	Disagreed func(first bool)
}

// certain reports whether the scopes are those that the token had when it was used. Scopes
// that were known before may have changed since.
func (a *Answer) certain() bool {
	return a.Token == [sha256.Size]byte{} || !a.KnownAt.Before(a.At)
}

// key identifies what an answer says about its row. It is never 0.
func (a *Answer) key() uint64 {
	sum := hash(a.Held)
	for i, scope := range a.Named {
		sum += hash(a.Named[i:i+1]) * uint64(2*len(scope)+3)
	}
	if a.Together {
		sum = ^sum
	}
	return max(1, sum)
}
