package tokens

import "time"

// Facts are what is known about a token, since when, and from where.
type Facts struct {
	Info *Info
	// At is when the workspace was asked. What it answered held then or later, so
	// that now minus At is never less than the true age.
	At     time.Time
	Source Source
}

// Source says how facts came to a request.
type Source string

const (
	// FromCache means facts within their ttl.
	FromCache Source = "cache"
	// FromLookup means that this request, or one at the same time, asked.
	FromLookup Source = "lookup"
	// FromStale means facts past their ttl, used because the workspace could not
	// be asked.
	FromStale Source = "stale"
)
