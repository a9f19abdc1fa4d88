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

// instance is a ledger's identity in the store, and what it counted under it. It lasts
// as long as the process, unless the ledger could not save for so long that another
// gateway may have folded its snapshot.
type instance struct {
	id      string
	saved   *recorder // what the last successful save contains
	unsaved *recorder // what the next one adds
	due     bool      // there is something in unsaved
	savedAt time.Time // when the last successful save began; zero before the first
	renew   bool      // the store may be another one
}

func newInstance(options Options) instance {
	return instance{id: strings.ToLower(rand.Text()), saved: newRecorder(options), unsaved: newRecorder(options)}
}

// IsInstance reports whether s has the form of the id of an instance, under which a gateway
// saves what it counted.
func IsInstance(s string) bool { return isInstanceID(s) }

// isInstanceID reports whether s has the form of an instance's id.
func isInstanceID(s string) bool {
	return len(s) == instanceIDLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// prepare moves what a recorder counted into the next save, and reports whether one is
// due: there is something new, or the last save is old enough to be renewed.
//
// After half a lease without a successful save the instance gives up its snapshot, so
// that it never writes what was folded meanwhile, and goes on as a new one with what
// it has not saved. The other half is for slow saves and for clocks that differ. A save
// that took effect although the store said otherwise counts twice then.
func (i *instance) prepare(counted *recorder, options Options, lease time.Duration) bool {
	age := options.Now().Sub(i.savedAt)
	if !i.savedAt.IsZero() && age >= lease/2 {
		unsaved, due := i.unsaved, i.due
		*i = newInstance(options)
		i.unsaved, i.due = unsaved, due
	}
	if fresh := counted.Drain(); len(fresh.Tokens) > 0 || fresh.Cut.Entries > 0 || len(fresh.Lessons) > 0 {
		i.unsaved.Merge(fresh)
		i.due = true
	}
	return i.due || !i.savedAt.IsZero() && (i.renew || age >= lease/4)
}

// done notes that the save of saved and unsaved succeeded.
func (i *instance) done(began time.Time) {
	i.saved.Merge(i.unsaved.Drain())
	i.savedAt, i.due, i.renew = began, false, false
}
