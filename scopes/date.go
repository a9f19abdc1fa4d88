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
// releases it tells which map is newer.
func Date() time.Time { return date() }

var date = sync.OnceValue(func() time.Time {
	for line := range strings.Lines(catalogTSV) {
		if text, ok := strings.CutPrefix(line, dateHeader); ok {
			if day, err := time.Parse(time.DateOnly, strings.TrimSpace(text)); err == nil {
				return day
			}
		}
		if !strings.HasPrefix(line, "#") {
			break
		}
	}
	panic("scopes: the embedded catalog has no date") // a test asks for it
})
