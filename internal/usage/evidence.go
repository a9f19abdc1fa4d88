package usage

import (
	"fmt"
	"strings"
	"time"
)

// The rule of thumb for enough evidence. A week includes the jobs of every weekday and
// of the weekend; twenty calls are more than a person trying something out. It misses
// monthly jobs: only the workload's owner knows about those.
const (
	enoughDays  = 7
	enoughCalls = 20
)

// Evidence describes how much data a statement about a token rests on.
type Evidence struct {
	// Calls counts those that passed: refused ones do not show what works.
	Calls uint64 `json:"calls"`
	// Days is the number of days (UTC) from the first call to the last, inclusive,
	// and ActiveDays of those with a call.
	Days       int `json:"days"`
	ActiveDays int `json:"active_days"`
	// Since is when the token was first seen, Last when it was last seen.
	Since time.Time `json:"since,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Enough means at least 7 days and 20 calls, and no Doubt. Missing says what falls
	// short.
	Enough  bool   `json:"enough"`
	Missing string `json:"missing,omitempty"`
	// Cut counts operations that were dropped.
	Cut Cut `json:"cut,omitzero"`
	// Doubt says which evidence was dropped or could not be read, or may have been, and
	// when; empty if all counts.
	Doubt string `json:"doubt,omitempty"`
}

// evidenceOf returns the evidence about a token.
func evidenceOf(t Token, doubt string) Evidence {
	e := Evidence{Doubt: doubt, Calls: t.Passed(), ActiveDays: t.ActiveDays, Since: t.First, Last: t.Last, Cut: t.Cut}
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
	if doubt != "" {
		missing = append(missing, doubt)
	}
	e.Enough, e.Missing = len(missing) == 0, strings.Join(missing, ", ")
	return e
}

// String returns one line of text.
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

// daysBetween counts the days (UTC) from one time to another, inclusive.
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

// count formats a number of things.
func count[N int | uint64](n N, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// moment formats a time to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func date(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format(time.DateOnly)
}
