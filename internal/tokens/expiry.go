package tokens

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxExpiryNotices bounds how many tokens are remembered to have been noticed.
const maxExpiryNotices = 10_000

// ExpiryNotices picks the tokens in use that expire soon, each once. It is safe for
// concurrent use.
type ExpiryNotices struct {
	// noticed holds the expiry that was noticed: a token whose life is changed is
	// noticed again.
	noticed *lru.Cache[ID, time.Time]
}

// NewExpiryNotices returns an empty set of notices.
func NewExpiryNotices() *ExpiryNotices {
	noticed, err := lru.New[ID, time.Time](maxExpiryNotices)
	if err != nil {
		panic("tokens: " + err.Error()) // the size is a constant
	}
	return &ExpiryNotices{noticed}
}

// Due reports whether a token expires within a time, the first time that it is asked
// about that expiry. A token that was made for less than that time is meant to expire
// soon, and never due.
func (n *ExpiryNotices) Due(info *Info, within time.Duration, now time.Time) bool {
	ends, ok := info.Expires.At()
	if !ok {
		return false
	}
	left, life := ends.Sub(now), ends.Sub(info.Created)
	if left <= 0 || left > within || life <= within {
		return false
	}
	if noticed, ok := n.noticed.Get(info.ID); ok && noticed.Equal(ends) {
		return false
	}
	n.noticed.Add(info.ID, ends)
	return true
}
