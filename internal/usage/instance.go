package usage

import (
	"crypto/rand"
	"strings"
	"time"
)

const (
	// minLease is how long a snapshot belongs to the gateway that saved it. Once that
	// has passed since the last save, another gateway may fold it.
	minLease = 24 * time.Hour
	// instanceIDLength is that of rand.Text.
	instanceIDLength = 26
)

// instance is a ledger's identity in the store and what it counted under that
// identity. It lasts as long as the process, unless another gateway takes it for
// stopped and folds its snapshot: then the ledger goes on as a new instance.
type instance struct {
	id    string
	total *Recorder // the content of the last save
	saves uint64    // the number of the last save
	last  State     // what the last save added to the one before

	// inDoubt means that the last save failed or is under way: the store may have it
	// or not. saved is when the last successful save began, or the first if none
	// succeeded. verified means that a save succeeded in the current store.
	inDoubt  bool
	saved    time.Time
	verified bool
}

func newInstance(options Options) instance {
	return instance{id: strings.ToLower(rand.Text()), total: NewRecorder(options)}
}

// isInstanceID reports whether s has the form of an instance's id.
func isInstanceID(s string) bool {
	return len(s) == instanceIDLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// add moves what a recorder counted into the next save. It reports whether a save is
// due: there is something new, or the last save is old enough to be renewed.
func (i *instance) add(counted *Recorder, now time.Time, lease time.Duration) bool {
	fresh := counted.Drain()
	if len(fresh.Tokens) > 0 || fresh.Cut.Entries > 0 {
		i.total.Merge(fresh)
		i.last = fresh
		if i.saves++; i.saves == 1 {
			i.saved, i.verified = now, true // there is nothing to be folded yet
		}
		return true
	}
	return i.saves > 0 && (!i.verified || now.Sub(i.saved) >= lease/4)
}

// maybeFolded reports whether another gateway may have folded the snapshot. Half of
// the lease is left for slow saves and for clocks that differ.
func (i *instance) maybeFolded(now time.Time, lease time.Duration) bool {
	return i.saves > 0 && (!i.verified || now.Sub(i.saved) >= lease/2)
}

// beyond returns what a folded snapshot does not contain. Only the last save can be
// newer than the folded one, see maybeFolded; anything between the two is taken to be
// folded, so that nothing is ever counted twice.
func (i *instance) beyond(folded foldMark) State {
	if folded.Saves < i.saves {
		return i.last
	}
	return State{}
}
