package usage

import (
	"fmt"
	"time"
)

// Recommend says which scopes a token needs for what it was seen to do within a window
// before now; a window of 0 means all time. The error is a [*NotSeenError].
func (s *State) Recommend(id string, facts TokenFacts, window time.Duration, now time.Time) (Recommendation, error) {
	var from time.Time
	if window > 0 {
		from = now.Add(-window)
	}
	s.confirm()
	seen, ok := s.Token(id)
	if !ok {
		return Recommendation{}, &NotSeenError{s.Since, s.doubt(nil, facts.Created, from)}
	}
	return recommendAfter(from, seen, facts, now, s.doubt(&seen, facts.Created, from)), nil
}

// recommendAfter is recommend for what was used at or after a time, if that is not zero.
func recommendAfter(from time.Time, seen Token, facts TokenFacts, now time.Time, doubt string) Recommendation {
	if from.IsZero() {
		return recommend(seen, facts, now, doubt)
	}
	recent, older := seen.after(from)
	r := recommend(recent, facts, now, doubt)
	r.Window = from
	r.Older = list(older)
	if recent.Calls > 0 && !r.Evidence.Enough {
		r.Notes = append(r.Notes, "calls are counted by operation, not by time: an operation that was also used before that time counts as a single call")
	}
	if len(older) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s not used since %s and not counted", were(len(older), "operation"), moment(from)))
	}
	if cut := seen.Cut; cut.Entries > 0 && !cut.recent(from) {
		r.Notes = append(r.Notes, fmt.Sprintf("%s dropped since %s; not used since %s and not counted", were(int(cut.Entries), "operation"), date(cut.Since), moment(from)))
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
	recent.Uses, recent.Calls, recent.Denied, recent.WouldDeny, recent.Optional = nil, 0, 0, 0, 0
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
		if u.Operation.Optional {
			recent.Optional += u.Denied
		} else {
			recent.Denied += u.Denied
		}
		if recent.First.IsZero() || first.Before(recent.First) {
			recent.First = first
		}
		if u.Last.After(recent.Last) {
			recent.Last = u.Last
		}
	}
	if cut := t.Cut; !cut.recent(from) {
		recent.Cut, recent.Evicted = Cut{}, false
	} else if last := cut.Last; !last.IsZero() {
		calls := uint64(1)
		if !cut.First.Before(from) {
			calls = max(1, cut.Calls)
		}
		recent.Calls = plus(recent.Calls, calls)
		if first := latest(cut.First, from); recent.First.IsZero() || first.Before(recent.First) {
			recent.First = first
		}
		recent.Last = latest(recent.Last, last)
	}
	if recent.Calls == 0 {
		recent.ActiveDays = 0
		return recent, older
	}
	recent.ActiveDays = min(recent.ActiveDays, daysBetween(recent.First, recent.Last))
	return recent, older
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
