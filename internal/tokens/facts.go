package tokens

import "time"

// Facts are what is known about a token, since when, and from where.
type Facts struct {
	Info *Info
	// At is when the workspace was asked. Its answer was true then or later, so now
	// minus At is never less than the true age.
	At     time.Time
	Source Source
}

// Source says where a request's facts came from.
type Source string

const (
	// FromCache means facts within their TTL.
	FromCache Source = "cache"
	// FromLookup means that this request, or a concurrent one, asked the workspace, or
	// whoever may have asked it earlier: another gateway, or an authority.
	FromLookup Source = "lookup"
	// FromStale means facts past their TTL, used because the workspace could not be
	// asked.
	FromStale Source = "stale"
)
