package ocsf

import "time"

// FindingState is where a finding is in its life.
type FindingState struct{ activity, status enum }

// States of findings.
var (
	FindingNew          = FindingState{enum{1, "Create"}, enum{1, "New"}}
	FindingAcknowledged = FindingState{enum{2, "Update"}, enum{3, "Suppressed"}}
	FindingResolved     = FindingState{enum{3, "Close"}, enum{4, "Resolved"}}
)

// Finding is something that needs attention, about a token or about the map. Texts that are not known
// are empty.
type Finding struct {
	// Key is the same for all events of one finding in a workspace.
	Key       string
	Workspace string
	// Kind is a code (fixed list), and Text says what was found.
	Kind string
	Text string
	// Do says what to do about it.
	Do string
	// TokenID is the hash of the token, and Owner its owner's name. A finding about the map
	// has an operation in their place.
	TokenID   string
	Owner     string
	Operation string

	State    FindingState
	Severity Severity
	Since    time.Time // when it was found first
	Changed  time.Time // when it got into this state
}

// detection is an event of the class Detection Finding.
type detection struct {
	event
	FindingInfo findingInfo  `json:"finding_info"`
	Remediation *remediation `json:"remediation,omitempty"`
	Resources   []resource   `json:"resources,omitempty"`
	IsAlert     bool         `json:"is_alert"`
}

var detectionFinding = class{enum{2004, "Detection Finding"}, enum{2, "Findings"}}

// Append appends the event as a line of JSON.
func (f *Finding) Append(to []byte) []byte {
	e := &detection{
		event: newEvent(detectionFinding, f.State.activity, f.found(), f.Severity, f.State.status),
		FindingInfo: findingInfo{
			UID: f.uid(), Title: orUnknown(f.Text), Types: []string{f.Kind},
			FirstSeen: milliseconds(f.Since), Modified: milliseconds(f.Changed),
		},
		IsAlert: f.State == FindingNew,
	}
	e.Message = orUnknown(f.Text)
	e.Metadata.EventCode = f.Kind
	if f.Do != "" {
		e.Remediation = &remediation{f.Do}
	}
	if f.TokenID != "" {
		token := resource{UID: f.TokenID, Type: "Databricks token"}
		if f.Owner != "" {
			token.Owner = &user{Name: f.Owner}
		}
		e.Resources = append(e.Resources, token)
	}
	if f.Operation != "" {
		e.Resources = append(e.Resources, resource{UID: f.Operation, Type: "API operation"})
	}
	line, _ := appendLine(to, e) // it is made of strings and numbers
	return line
}

// uid names the finding among those of all workspaces.
func (f *Finding) uid() string {
	if f.Workspace == "" {
		return orUnknown(f.Key)
	}
	return f.Key + " of " + f.Workspace
}

// found is when the finding was made first, which is the time of all its events.
func (f *Finding) found() time.Time {
	if f.Since.IsZero() {
		return f.Changed
	}
	return f.Since
}

// milliseconds returns a time of the schema, 0 where there is none.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
