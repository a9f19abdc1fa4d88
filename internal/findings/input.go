package findings

import (
	"github.com/scopegate/scopegate/internal/usage"
)

// Input is what findings follow from.
type Input struct {
	// Report is about all tokens, and Drift about the map in force.
	Report usage.Report
	Drift  usage.Drift
	// OwnerGone reports whether an owner was deleted or deactivated, if that is known. Nil
	// means that it never is.
	OwnerGone func(id int64) (gone, known bool)
	// Faulty are the ids of tokens that the workspace lists in a way that says nothing.
	Faulty []string
}

// blind reports whether what gateways saw could not be read at all.
func (in *Input) blind() bool {
	for _, file := range in.Report.Unread {
		if file.File == "" {
			return true
		}
	}
	return false
}

// listed reports whether it is known which tokens there are. An empty list is not believed:
// something other than the API may answer {}.
func (in *Input) listed() bool {
	for i := range in.Report.Rows {
		if in.Report.Rows[i].Listed {
			return true
		}
	}
	return false
}

// missing says what cannot be judged, and why.
func (in *Input) missing() []string {
	var notes []string
	if !in.listed() {
		notes = append(notes, "the workspace's list of tokens is unavailable or empty, so findings about tokens stay as they were")
	}
	if in.blind() {
		notes = append(notes, "saved usage could not be read, so findings about use stay as they were")
	}
	return append(notes, in.Report.Notes...)
}
