package usage

import (
	"fmt"
	"strings"
	"time"
)

// What was dropped, or could not be read, must not be taken for what never was: wherever
// a report or a recommendation says that a token did not do something, it says too
// whether evidence is missing.

// NotSeenError means that nothing is known of a token.
type NotSeenError struct {
	// Since is when recording began; zero if nothing is recorded.
	Since time.Time
	// Doubt says why the token may have been used nevertheless; empty if it was not.
	Doubt string
}

func (e *NotSeenError) Error() string {
	switch {
	case e.Doubt != "":
		return "there is no evidence to recommend by, but this does not mean that the token was not used: " + e.Doubt
	case e.Since.IsZero():
		return "this gateway has not seen the token yet, so there is no evidence to recommend by"
	}
	return fmt.Sprintf("this gateway has not seen the token yet, so there is no evidence to recommend by; it has recorded since %s", moment(e.Since))
}

// doubt says which evidence about a token is missing, or may be, of the time after from;
// "" if none is. The token is nil if nothing is known of it. Created is zero if unknown.
func (s *State) doubt(t *Token, created, from time.Time) string {
	var parts []string
	if t != nil && t.Cut.recent(from) {
		parts = append(parts, t.Cut.String())
	}
	if s.lost(t, created, from) {
		part := fmt.Sprintf("all evidence about %s was dropped since %s", count(s.Cut.Entries, "token"), date(s.Cut.Since))
		if t == nil && !s.Cut.Last.IsZero() {
			part = fmt.Sprintf("not seen since %s; before, %s", moment(s.Cut.Last), part)
		}
		parts = append(parts, part)
	}
	if unread := unreadText(s.Unread); unread != "" {
		parts = append(parts, unread)
	}
	return strings.Join(parts, "; ")
}

// lost reports whether a token may be among those of which nothing is left.
func (s *State) lost(t *Token, created, from time.Time) bool {
	switch last := s.Cut.Last; {
	case s.Cut.Entries == 0:
	case t != nil && t.First.Before(s.Cut.Since): // it was there all the time
	case !last.IsZero() && (created.After(last) || from.After(last)):
	default:
		return true
	}
	return false
}
