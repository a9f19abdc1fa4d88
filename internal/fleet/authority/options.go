package authority

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Tokens is what a [Server] finds out about tokens with. It is safe for concurrent use.
type Tokens interface {
	// Resolve is [tokens.Resolver.Resolve].
	Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error)
	// Owner returns the owner of a token with the name, if that is known. It does not block.
	Owner(info *tokens.Info) tokens.Principal
	// OwnerName returns a principal with its name, without one if it has none or that is
	// not known yet. Its error may be a [*tokens.UnavailableError].
	OwnerName(ctx context.Context, id int64) (tokens.Principal, error)
	// WorkspaceID returns the id that the workspace gives itself, 0 if unknown.
	WorkspaceID() int64
	// Known reports whether there are facts about a token that cost nothing.
	Known(id tokens.ID) bool
}

// Log is the log of changes. An entry is in it only once this gateway has applied it, as
// edges ask again as soon as they hear of it. It is safe for concurrent use.
type Log interface {
	// Position returns the epoch and the generation of the last entry.
	Position() (epoch string, last fleet.Generation)
	// Since returns the entries after a generation, in order. It is false if the log is
	// another one, or does not reach back that far. Nobody changes the entries, so all
	// streams may share them.
	Since(epoch string, after fleet.Generation) (entries []fleet.Entry, ok bool)
	// Asides returns changes that cannot be written to the log now: those after a number, and
	// the number of the last.
	Asides(after uint64) (changes []fleet.Change, last uint64)
	// Wait returns a channel that is closed when there is something new: an entry, a change
	// without a place, or another epoch.
	Wait() <-chan struct{}
}

// Limits bound what edges may ask for. Zero values become those of [DefaultLimits].
type Limits struct {
	// Rate is how many requests an edge may send a second on average. Twice as many may come
	// at once. All edges at one address that are known only by a name of their own choice
	// may send twenty times as many together.
	Rate int
	// Unknown is the same for tokens that cost a look-up: those that turn out to be unknown,
	// and those that an edge wants asked for again at once. Four times as many may come at
	// once.
	Unknown int
	// Edges is how many edges may be subscribed, and how many others are remembered.
	Edges int
}

// DefaultLimits holds the defaults of the limits block.
var DefaultLimits = Limits{Rate: 50, Unknown: 5, Edges: 10_000}

func (l Limits) withDefaults() Limits {
	if l.Rate <= 0 {
		l.Rate = DefaultLimits.Rate
	}
	if l.Unknown <= 0 {
		l.Unknown = DefaultLimits.Unknown
	}
	if l.Edges <= 0 {
		l.Edges = DefaultLimits.Edges
	}
	return l
}

// Options say what a [Server] serves, to whom, and with what.
type Options struct {
	// WorkspaceURL is the workspace that it serves.
	WorkspaceURL string
	Tokens       Tokens
	Log          Log
	// Publish applies changes here and tells the fleet. It must be safe for concurrent use.
	Publish func(ctx context.Context, changes ...fleet.Change)
	// Freshness is that of answers. Edges may ask for younger facts, never for older ones.
	Freshness tokens.Freshness
	// Usage checks a snapshot of usage and saves it. An error that is [usage.ErrCorrupt] or
	// [usage.ErrNewerVersion] is the edge's. Without Usage, edges keep their usage.
	Usage func(ctx context.Context, instance string, snapshot []byte) error

	Access   Access
	Limits   Limits
	Observer fleet.Observer // nil for none
	// Logger returns where refusals are told of. nil for nowhere.
	Logger func() *zap.Logger

	// Name and Version are this gateway's own.
	Name, Version string
	// Ending is closed when streams must end, so that their edges go to another authority,
	// while other requests are still answered. nil for never.
	Ending <-chan struct{}
	// Now replaces time.Now, for tests.
	Now func() time.Time
}
