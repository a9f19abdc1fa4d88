package findings

import (
	"cmp"
	"time"
)

// The default thresholds.
const (
	DefaultUnused     = 90 * 24 * time.Hour
	DefaultNearExpiry = 14 * 24 * time.Hour
)

const (
	// manyRefusals is how many refusals within a day or two are often.
	manyRefusals = 20
	// inUse is how recently a token was used that is in use.
	inUse = 30 * 24 * time.Hour
	// maxFindings bounds how many are kept. Beyond it, resolved ones go, the oldest first;
	// of others, those that matter least are not taken.
	maxFindings = 20_000
)

// Thresholds say what counts as wrong. The zero value means the defaults.
type Thresholds struct {
	// Unused is how long a token was not used; default 90 days.
	Unused time.Duration
	// NearExpiry is how long before its end a token is reported; default 14 days. Tokens
	// whose whole life is not longer are not.
	NearExpiry time.Duration
}

func (t Thresholds) withDefaults() Thresholds {
	t.Unused = cmp.Or(max(0, t.Unused), DefaultUnused)
	t.NearExpiry = cmp.Or(max(0, t.NearExpiry), DefaultNearExpiry)
	return t
}
