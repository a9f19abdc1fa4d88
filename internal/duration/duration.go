// Package duration reads durations as Caddy's configuration writes them, for packages
// that do not import Caddy.
package duration

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// maxLength bounds the work on one duration, as Caddy does.
const maxLength = 1024

// Parse reads a duration like [time.ParseDuration], with the additional unit d for days
// of 24 hours, as in 30d or 1d12h.
func Parse(s string) (time.Duration, error) {
	if len(s) > maxLength {
		return 0, errors.New("the duration is too long")
	}
	var inHours strings.Builder
	for {
		before, after, found := strings.Cut(s, "d")
		if !found {
			inHours.WriteString(s)
			return time.ParseDuration(inHours.String())
		}
		rest := strings.TrimRight(before, "0123456789.")
		days, err := strconv.ParseFloat(before[len(rest):], 64)
		if err != nil {
			return 0, err
		}
		inHours.WriteString(rest + strconv.FormatFloat(days*24, 'f', -1, 64) + "h")
		s = after
	}
}

// Format writes a duration without units that are zero, and whole days as such: 90d or
// 24h, not 2160h0m0s.
func Format(d time.Duration) string {
	if day := 24 * time.Hour; d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
