package findings

import "github.com/scopegate/scopegate/internal/ocsf"

// Event is what a security information system is told of a change.
func (f *Finding) Event(change Change) *ocsf.Finding {
	event := &ocsf.Finding{
		Key: f.Key, Workspace: f.Workspace, Kind: string(f.Kind), Text: f.Text, Do: f.Do,
		TokenID: f.TokenID, Owner: f.Owner, Operation: f.Operation,
		State: ocsf.FindingNew, Severity: ocsf.Low, Since: f.Since, Changed: f.Since,
	}
	switch f.Severity {
	case High:
		event.Severity = ocsf.High
	case Medium:
		event.Severity = ocsf.Medium
	case Low:
	}
	switch change {
	case ChangeAcknowledged:
		event.State = ocsf.FindingAcknowledged
		if f.Acknowledged != nil {
			event.Changed = f.Acknowledged.At
		}
	case ChangeResolved:
		event.State, event.Changed = ocsf.FindingResolved, f.Resolved
	case ChangeNew:
	}
	return event
}
