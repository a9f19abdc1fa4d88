package tokens

import (
	"context"
	"time"
)

// Answer is what was found out about one token.
type Answer struct {
	ID ID
	// Info is nil if there is no such token.
	Info *Info
	// At is when the workspace was asked.
	At time.Time
	// Changed means that it differs from what was known before in what decisions depend on.
	Changed bool
}

// Mark is a position in the log of changes of a fleet of gateways.
type Mark uint64

// Sharing lets the resolvers of several gateways share what each of them finds out. None of
// its methods waits for the means of sharing longer than 50 milliseconds, and while these
// cannot be used, every gateway goes on by itself: Find finds nothing, Begin begins and Allow
// allows at once, and LeadList leads.
//
// It must not return what was asked for before a change that this gateway knows of: tell it
// of a change before the resolver. All methods may be called concurrently.
type Sharing interface {
	// Find returns what another gateway found out about a token later than a time.
	Find(ctx context.Context, id ID, after time.Time) (Answer, bool)
	// FindMany is Find for up to 500 tokens and of any age. It leaves out those of which
	// nothing is known. It is complete if the store could be asked about all of them: only
	// then is a token that is left out not in the store.
	FindMany(ctx context.Context, ids []ID) (found []Answer, complete bool)
	// Begin begins a look-up. While another gateway looks up the same token, it waits for
	// that one's answer, as long as the context lasts, and returns it with answered. A caller
	// who is not patient does not wait. Otherwise the caller looks up the token and calls end
	// when it has shared the answer, or has none. If end is nil, too, another gateway is still
	// looking it up.
	Begin(ctx context.Context, id ID, after time.Time, patient bool) (found Answer, answered bool, end func())
	// Allow takes one look-up from what all gateways together may ask of the workspace. It
	// returns 0 if it may start now, and otherwise how long until there may be a turn.
	Allow(ctx context.Context, lane Lane) (wait time.Duration)
	// Mark returns the position before a look-up or a list, for Share.
	Mark() Mark
	// Share hands what the workspace answered to the others. Where answers are marked as
	// changed, it tells all others to forget what they know of these tokens. The answers to a
	// list come in many calls.
	Share(mark Mark, answers ...Answer)
	// LeadList reports whether this gateway asks for the list of all tokens, for all others,
	// now. Otherwise another one has asked for it within the interval, or does.
	LeadList(ctx context.Context, every time.Duration) bool
	// Listed tells the others that the answers to a list were shared that was asked for at a
	// time, for [Resolver.Listed]. It tells nothing if any of the answers with that mark could
	// not be shared: the others take what they do not find for revoked.
	Listed(mark Mark, at time.Time)
}

// PatientSharing is a [Sharing] whose waits for one look-up are bounded all together.
type PatientSharing interface {
	// Patience returns a context for Find, Begin and Allow of one look-up.
	Patience(ctx context.Context) context.Context
}

// SharedObserver is an [Observer] that is also told what other gateways had found out.
// Shared must not block.
type SharedObserver interface {
	// Shared reports that the others were asked about a token: "found", "unknown" (there is no
	// such token) or "miss". If another gateway looks up the token just then, its answer is
	// reported after the miss.
	Shared(result string)
}

// ChangeObserver is told which tokens a look-up or a list found to have changed, known ones
// that are gone included. TokensChanged must not block.
type ChangeObserver interface {
	TokensChanged(answers ...Answer)
}

// WithSharing makes a resolver share with other gateways what it finds out. Close the resolver
// before the means of sharing.
func WithSharing(s Sharing) Option { return func(r *Resolver) { r.sharing = s } }

// WithChangeObserver sets who is told of changed tokens.
func WithChangeObserver(o ChangeObserver) Option { return func(r *Resolver) { r.changes = o } }
