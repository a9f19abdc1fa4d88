package usage

import "time"

// Cut counts what was dropped to stay within the limits. The zero value means nothing.
type Cut struct {
	// Entries counts what was dropped: tokens of a state, operations of a token.
	Entries uint64 `json:"entries"`
	// Calls counts their calls.
	Calls uint64 `json:"calls"`
	// Since is when the first was dropped.
	Since time.Time `json:"since,omitzero"`
}

// add returns the sum of c and other.
func (c Cut) add(other Cut) Cut {
	switch {
	case c.Entries == 0:
		return other
	case other.Entries == 0:
		return c
	}
	c.Entries += other.Entries
	c.Calls += other.Calls
	if other.Since.Before(c.Since) {
		c.Since = other.Since
	}
	return c
}

// cutMS is a Cut with its time in milliseconds, 0 for never.
type cutMS struct {
	entries, calls uint64
	since          int64
}

func (c *cutMS) count(calls uint64, at int64) {
	if c.entries == 0 || at < c.since {
		c.since = at
	}
	c.entries++
	c.calls += calls
}

func (c cutMS) export() Cut {
	if c.entries == 0 {
		return Cut{}
	}
	return Cut{c.entries, c.calls, timeOf(c.since)}
}

func importCut(c Cut) cutMS {
	if c.Entries == 0 {
		return cutMS{}
	}
	return cutMS{c.Entries, c.Calls, c.Since.UnixMilli()}
}
