package findings

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const (
	maxNote = 1000 // characters
	maxBy   = 200  // characters
	// maxUntil is how long an acknowledgment may hold that ends.
	maxUntil = 10 * 365 * 24 * time.Hour
)

var (
	// ErrUnknownKey means that there is no such finding.
	ErrUnknownKey = errors.New("there is no finding with this key; scopegate scopes findings lists them")
	// ErrResolved means that the finding does not hold any more.
	ErrResolved = errors.New("the finding is resolved: there is nothing to acknowledge; it is new if it comes back")
)

// Acknowledge is a request to acknowledge one finding.
type Acknowledge struct {
	Key string `json:"key"`
	// By is who acknowledges it, in their own words.
	By   string `json:"by,omitempty"`
	Note string `json:"note,omitempty"`
	// Until is when the finding is new again if it still holds; zero for never.
	Until time.Time `json:"until,omitzero"`
}

// acknowledgment checks a request and returns what is kept of it.
func (a Acknowledge) acknowledgment(now time.Time) (Acknowledgment, error) {
	switch {
	case a.Key == "":
		return Acknowledgment{}, errors.New("name the finding by its key; scopegate scopes findings lists them")
	case utf8.RuneCountInString(a.Note) > maxNote:
		return Acknowledgment{}, fmt.Errorf("the note has more than %d characters; keep it short, and link to the rest", maxNote)
	case utf8.RuneCountInString(a.By) > maxBy:
		return Acknowledgment{}, fmt.Errorf("the name of who acknowledges has more than %d characters", maxBy)
	case !a.Until.IsZero() && !a.Until.After(now):
		return Acknowledgment{}, fmt.Errorf("until is %s, which has passed; name a time to come", a.Until.UTC().Format(time.RFC3339))
	case a.Until.Sub(now) > maxUntil:
		return Acknowledgment{}, errors.New("until is more than ten years away; omit it to acknowledge the finding for good")
	}
	return Acknowledgment{By: cut(a.By, maxBy), Note: cut(a.Note, maxNote), At: now.UTC(), Until: a.Until.UTC()}, nil
}
