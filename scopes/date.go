package scopes

import (
	"strings"
	"sync"
	"time"
)

// dateHeader begins the line of catalog.tsv with the day on which its rows last changed.
// The generator writes it.
const dateHeader = "# Date: "

// Date returns the day, in UTC, on which the rows of [Default] last changed. Of two
// releases it tells which map is newer. It is zero if the embedded catalog has no date, which
// makes every other map newer; the generator writes and accepts none like that.
func Date() time.Time { return date() }

var date = sync.OnceValue(func() time.Time { return dateOf(catalogTSV) })

// dateOf reads the date in the comment at the head of a catalog.
func dateOf(catalog string) time.Time {
	for line := range strings.Lines(catalog) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		if text, ok := strings.CutPrefix(line, dateHeader); ok {
			day, _ := time.Parse(time.DateOnly, strings.TrimSpace(text)) // zero if it is none
			return day
		}
	}
	return time.Time{}
}
