package fleet

import "github.com/scopegate/scopegate/internal/tokens"

// Generation is a position in the log of changes: milliseconds of the log's clock, shifted
// by [sequenceBits], and a sequence within them. 0 is before every change.
type Generation uint64

// sequenceBits leave room for a million changes in a millisecond, and for years to come.
const sequenceBits = 20

// NewGeneration returns the generation of a Redis stream's entry ID.
func NewGeneration(milliseconds, sequence uint64) Generation {
	return Generation(milliseconds<<sequenceBits | sequence&(1<<sequenceBits-1))
}

// Parts returns the two parts of a stream's entry ID.
func (g Generation) Parts() (milliseconds, sequence uint64) {
	return uint64(g) >> sequenceBits, uint64(g) & (1<<sequenceBits - 1)
}

// Kind says what a change concerns. The strings are part of the wire format.
type Kind string

const (
	// TokenChanged: one token was created, changed or revoked.
	TokenChanged Kind = "token"
	// OwnerChanged: all tokens of one user or service principal, and the name.
	OwnerChanged Kind = "owner"
	// AllChanged: any token. OwnersChanged: any token, and the names of owners.
	AllChanged    Kind = "all"
	OwnersChanged Kind = "owners"
	// UnknownChanged: tokens that were unknown may exist now.
	UnknownChanged Kind = "unknown"
	// Doubted and OwnersDoubted: as AllChanged and OwnersChanged, but it is not certain that
	// anything was changed, see [tokens.Resolver.Doubt].
	Doubted       Kind = "doubt"
	OwnersDoubted Kind = "doubt_owners"
)

// Change says that facts from before it are not to be believed any more.
type Change struct {
	Kind  Kind
	Token tokens.ID // of TokenChanged
	Owner int64     // of OwnerChanged

	// From and Proof are set where a look-up found the change: From is the generation at
	// which that look-up began, and Proof marks the entry in the store that holds what it
	// found, which is to be believed although it is older than the change.
	From  Generation
	Proof uint64
}

// Entry is a change with its place in the log.
type Entry struct {
	Generation Generation
	Change     Change
}
