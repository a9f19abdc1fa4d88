package console

import (
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/recent"
)

// outcome is what became of a request, in one of four classes (fixed list). The values are part
// of names of CSS classes: outcome-allowed and so on.
type outcome string

const (
	allowed     outcome = "allowed"
	refused     outcome = "refused"
	wouldRefuse outcome = "would_refuse"
	unavailable outcome = "unavailable"
)

// outcomes are all of them, in the order of legends and choices.
var outcomes = []outcome{allowed, refused, wouldRefuse, unavailable}

// Label is the outcome in words.
func (o outcome) Label() string {
	switch o {
	case allowed:
		return "allowed"
	case refused:
		return "refused"
	case wouldRefuse:
		return "would be refused"
	default:
		return "unavailable"
	}
}

// outcomeOf returns the class of a decision, as [recent.Minutes] counts it. A request that has
// not ended has passed.
func outcomeOf(r *audit.Record) outcome {
	var counted recent.Classes
	counted.Count(r)
	switch {
	case counted.Refused > 0:
		return refused
	case counted.WouldRefuse > 0:
		return wouldRefuse
	case counted.Unavailable > 0:
		return unavailable
	}
	return allowed
}

// decision is one decision in a list.
type decision struct {
	ID        string
	Arrived   time.Time
	Day       string // when it arrived, empty for today
	Outcome   outcome
	Open      bool // it goes on, and another decision with its id follows
	Reason    string
	Method    string
	Path      string // empty if paths are redacted
	Operation string
	Owner     string
	TokenID   string
	Status    int // 0 for none
}

func decisionOf(r *audit.Record, now time.Time) decision {
	d := decision{
		ID: r.RequestID, Arrived: r.Time, Outcome: outcomeOf(r), Open: r.Outcome == audit.Open, Reason: string(r.Reason),
		Method: r.Method, Path: r.Path, Owner: ownerOf(r), TokenID: r.TokenID, Status: r.Status,
	}
	if day := r.Time.UTC().Format(time.DateOnly); day != now.UTC().Format(time.DateOnly) {
		d.Day = day
	}
	if r.Operation != nil {
		d.Operation = r.Operation.Name
	}
	return d
}

// ownerOf returns the name of a token's owner, or the id if the name is not known.
func ownerOf(r *audit.Record) string {
	if r.Owner != "" {
		return r.Owner
	}
	if r.Facts.Info != nil {
		return r.Facts.Info.Owner.String()
	}
	return ""
}

func decisionsOf(records []*audit.Record, now time.Time) []decision {
	list := make([]decision, len(records))
	for i, r := range records {
		list[i] = decisionOf(r, now)
	}
	return list
}
