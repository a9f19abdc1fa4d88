package usage

import "time"

// UnusedFor reports whether a token was not used for a time, here or elsewhere. A token younger
// than that does not count as unused. Doubtful means that evidence is missing which may show
// its use: it was dropped, it could not be read, or recording did not begin early enough, and
// Databricks does not say when the token was last used.
func (r *Report) UnusedFor(row *Row, d time.Duration) (unused, doubtful bool) {
	if !row.Listed || !row.unused(d, r.At) {
		return false, false
	}
	short := row.LastUsed.IsZero() && (r.Since.IsZero() || r.At.Sub(r.Since) < d)
	return true, short || r.mayHaveUsed(row, d)
}
