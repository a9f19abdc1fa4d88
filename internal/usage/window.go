package usage

import (
	"fmt"
	"time"
)

// Recommend says which scopes a token needs for what it was seen to do within a window
// before now; a window of 0 means all time.
func Recommend(seen Token, facts TokenFacts, window time.Duration, now time.Time) Recommendation {
	if window <= 0 {
		return recommend(seen, facts, now)
	}
	from := now.Add(-window)
	recent, older := seen.after(from)
	r := recommend(recent, facts, now)
	r.Window = from
	r.Older = list(older)
	if recent.Calls > 0 && !r.Evidence.Enough {
		r.Notes = append(r.Notes, "calls are counted by operation, not by time: an operation that was also used before that time counts as a single call")
	}
	if len(older) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s not used since %s and not counted", were(len(older), "operation"), moment(from)))
	}
	return r
}

func were(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return count(n, thing) + " were"
}

// after splits what a token was seen to do into operations that it used at or after a
// time, and those that it used only before. Calls are counted by operation, not by
// time: if an operation was used before and after, only its last call is certain to be
// recent.
func (t *Token) after(from time.Time) (recent Token, older []Use) {
	recent = *t
	recent.Uses, recent.Calls, recent.Denied, recent.WouldDeny = nil, 0, 0, 0
	recent.First, recent.Last = time.Time{}, time.Time{}
	for _, u := range t.Uses {
		if u.Last.Before(from) {
			older = append(older, u)
			continue
		}
		recent.Uses = append(recent.Uses, u)
		first := u.First
		if first.Before(from) {
			first = u.Last
			u.Calls, u.Denied = 1, min(u.Denied, 1) // it may have been refused
		}
		recent.Calls += u.Calls
		recent.Denied += u.Denied
		if recent.First.IsZero() || first.Before(recent.First) {
			recent.First = first
		}
		if u.Last.After(recent.Last) {
			recent.Last = u.Last
		}
	}
	if recent.Calls == 0 {
		recent.ActiveDays = 0
		return recent, older
	}
	recent.ActiveDays = min(recent.ActiveDays, daysBetween(recent.First, recent.Last))
	return recent, older
}
