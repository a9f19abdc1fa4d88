package fleet

import "time"

// Observer is told what a fleet does, for metrics and logs. Its methods must not block and
// must be safe for concurrent use.
type Observer interface {
	// StoreAsked reports an operation on the store (find, share, lease, budget, list, change,
	// members, usage) and its result: ok, miss, down (not tried), timeout or error.
	StoreAsked(operation, result string, took time.Duration)
	// StoreConnected reports that the store can be used, or with an error why not.
	StoreConnected(err error)
	// EntryRefused reports something in the store that is not believed: corrupt, foreign,
	// swapped, rolled_back, future, too_large or replayed.
	EntryRefused(kind string)
	// Published and Applied report changes that this gateway told others, and that it was
	// told. Of changes that wait for the store, Published is called when they are written.
	Published(kind Kind)
	Applied(kind Kind)
	// Gap reports that changes may have been missed, and why: lost, trimmed, restarted or
	// refused. Everything from before is asked for again.
	Gap(reason string)
	// Acknowledged reports how long after a revocation or another change an edge had
	// applied it.
	Acknowledged(took time.Duration)
	// EdgeConnected reports that an edge subscribed, EdgeGone that it left, and EdgeRefused
	// that a request of an edge was refused: unauthorized, forbidden, rate, malformed,
	// workspace or insecure.
	EdgeConnected(name string)
	EdgeGone(name string)
	EdgeRefused(reason string)
	// UsageLost reports usage that an edge could not hand over, in bytes.
	UsageLost(bytes int)
}

// NoObserver ignores everything.
type NoObserver struct{}

// StoreAsked implements [Observer].
func (NoObserver) StoreAsked(string, string, time.Duration) {}

// StoreConnected implements [Observer].
func (NoObserver) StoreConnected(error) {}

// EntryRefused implements [Observer].
func (NoObserver) EntryRefused(string) {}

// Published implements [Observer].
func (NoObserver) Published(Kind) {}

// Applied implements [Observer].
func (NoObserver) Applied(Kind) {}

// Gap implements [Observer].
func (NoObserver) Gap(string) {}

// Acknowledged implements [Observer].
func (NoObserver) Acknowledged(time.Duration) {}

// EdgeConnected implements [Observer].
func (NoObserver) EdgeConnected(string) {}

// EdgeGone implements [Observer].
func (NoObserver) EdgeGone(string) {}

// EdgeRefused implements [Observer].
func (NoObserver) EdgeRefused(string) {}

// UsageLost implements [Observer].
func (NoObserver) UsageLost(int) {}
