package ocsf

import (
	"time"
)

// FindingState is where a finding is in its life.
type FindingState struct{ activity, status enum }

// States of findings.
var (
	FindingNew          = FindingState{enum{1, "Create"}, enum{1, "New"}}
	FindingAcknowledged = FindingState{enum{2, "Update"}, enum{3, "Suppressed"}}
	FindingResolved     = FindingState{enum{3, "Close"}, enum{4, "Resolved"}}
)

// Finding is something about a token that somebody should act on. Texts that are not known
// are empty.
type Finding struct {
	// Key is the same for all events of one finding.
	Key string
	// Kind is a code (fixed list), and Text says what was found.
	Kind string
	Text string
	// Do says what to do about it.
	Do string
	// TokenID is the hash of the token, and Owner its owner's name.
	TokenID string
	Owner   string

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
			UID: orUnknown(f.Key), Title: orUnknown(f.Text), Types: []string{f.Kind},
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
		e.Resources = []resource{token}
	}
	line, _ := appendLine(to, e) // it is made of strings and numbers
	return line
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
