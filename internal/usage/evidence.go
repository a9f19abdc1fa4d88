package usage

import (
	"fmt"
	"strings"
	"time"
)

// The rule of thumb for enough evidence. A week has seen the jobs of every weekday
// and of the weekend; twenty calls are more than somebody trying something out.
// What happens once a month is not in it: only whoever runs the workload knows.
const (
	enoughDays  = 7
	enoughCalls = 20
)

// Evidence tells how much a statement about a token rests on.
type Evidence struct {
	// Calls counts those that passed: refused ones tell nothing of what works.
	Calls uint64 `json:"calls"`
	// Days is the number of days (UTC) from the first call to the last, both
	// included, and ActiveDays of those with a call.
	Days       int `json:"days"`
	ActiveDays int `json:"active_days"`
	// Since is when the token was seen first, Last when it was seen last.
	Since time.Time `json:"since,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Enough says that there are enoughDays and enoughCalls and that nothing
	// was cut. Missing says what is wanting.
	Enough  bool   `json:"enough"`
	Missing string `json:"missing,omitempty"`
	// Cut tells of operations that were left out.
	Cut Cut `json:"cut,omitzero"`
}

// evidenceOf weighs what is known of a token.
func evidenceOf(t Token) Evidence {
	e := Evidence{Calls: t.Passed(), ActiveDays: t.ActiveDays, Since: t.First, Last: t.Last, Cut: t.Cut}
	if t.Calls > 0 {
		e.Days = daysBetween(t.First, t.Last)
	}
	var missing []string
	if e.Days < enoughDays {
		missing = append(missing, fmt.Sprintf("%d of %d days", e.Days, enoughDays))
	}
	if e.Calls < enoughCalls {
		missing = append(missing, fmt.Sprintf("%d of %d calls", e.Calls, enoughCalls))
	}
	if t.Cut.Entries > 0 {
		missing = append(missing, fmt.Sprintf("%s left out since %s", count(t.Cut.Entries, "operation"), date(t.Cut.Since)))
	}
	e.Enough, e.Missing = len(missing) == 0, strings.Join(missing, ", ")
	return e
}

// String says it in a line.
func (e Evidence) String() string {
	if e.Days == 0 {
		return "never seen"
	}
	s := fmt.Sprintf("%s over %s (%d of them active), %s to %s", count(e.Calls, "call"), count(uint64(e.Days), "day"), e.ActiveDays, date(e.Since), date(e.Last))
	if !e.Enough {
		s += ": not enough evidence yet (" + e.Missing + ")"
	}
	return s
}

// daysBetween counts the days (UTC) from one time to another, both included.
func daysBetween(first, last time.Time) int {
	return int(floorDiv(last.UnixMilli(), msPerDay)-floorDiv(first.UnixMilli(), msPerDay)) + 1
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// count writes a number of things.
func count[N int | uint64](n N, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// moment writes a time to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func date(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format(time.DateOnly)
}
