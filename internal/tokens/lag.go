package tokens

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxLags bounds how many tokens are remembered of which there is nothing younger.
	maxLags = 10_000
	// lagRest is how long none of them is asked about again.
	lagRest = time.Second
)

// lags remembers the tokens about which asking brought nothing younger than what was known.
// Every request for one of them would ask again otherwise.
type lags struct {
	mu     sync.Mutex
	recent *simplelru.LRU[ID, lag]
}

type lag struct {
	at time.Time // when it was asked
	// old means that the service's answer is older than what was asked for. Otherwise there
	// was none, to a refresh.
	old bool
}

func newLags() lags {
	return lags{recent: must(simplelru.NewLRU[ID, lag](maxLags, nil))}
}

func (l *lags) add(id ID, at time.Time, old bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.recent.Peek(id)
	l.recent.Add(id, lag{at, old || ok && last.old && at.Sub(last.at) < lagRest})
}

// get returns whether it makes no sense to refresh a token now, and whether none to look it
// up.
func (l *lags) get(id ID, now time.Time) (resting, old bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.recent.Peek(id)
	resting = ok && now.Sub(last.at) < lagRest
	return resting, resting && last.old
}

func (l *lags) forget(id ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent.Remove(id)
}

func (l *lags) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent.Purge()
}

func tooOld() *UnavailableError { return &UnavailableError{Outage: TooOld, RetryAfter: lagRest} }

// oldest returns the beginning of the time that facts about a token may be old.
func (f *Freshness) oldest(id *ID, now time.Time) time.Time {
	if *id == neutral {
		return now.Add(-f.NegativeTTL)
	}
	return now.Add(-f.TTL)
}

// tooOld reports whether what a look-up found is too old for a reader. Those who looked up a
// token together may differ in that, and a service may have nothing younger.
func (r *Resolver) tooOld(found *fact, err error, arrived, knownAt time.Time, fresh Freshness) bool {
	at, oldest := found.at, arrived.Add(-fresh.TTL)
	if found.origin == fromRelay { // its age includes how long it was under way
		at, oldest = at.Add(r.now().Sub(arrived)), latest(knownAt, oldest)
	}
	switch {
	case found.origin == fromWorkspace:
		return false
	case err == nil:
		return !at.After(oldest)
	case !errors.Is(err, ErrUnknownToken):
		return false
	case found.origin == fromRelay:
		return !at.After(knownAt)
	}
	return !at.After(arrived.Add(-fresh.NegativeTTL))
}
