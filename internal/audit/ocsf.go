package audit

import (
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/ocsf"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// PutFinding hands a finding to every output whose format has events for it. Others have no
// place for one. It may wait, as Put.
func (s *Sinks) PutFinding(f *ocsf.Finding) {
	if s == nil {
		return
	}
	for _, sink := range s.sinks {
		if lines, ok := sink.exporter.(*lineExporter); ok && lines.format == FormatOCSF {
			sink.put(&Record{Time: f.Changed, finding: f}, false)
		}
	}
}

// appendEvent appends a record as an event of the class API Activity, or the finding that it
// stands for.
func appendEvent(to []byte, r *Record) []byte {
	if r.finding != nil {
		return r.finding.Append(to)
	}
	o := operation(r)
	call := ocsf.Call{
		Arrived: r.Time, RequestID: r.RequestID, TraceID: r.TraceID(),
		Method: r.Method, Path: r.Path, Host: safeText(r.Workspace), UserAgent: r.UserAgent, Address: safeText(r.ClientAddress), Received: r.BytesReceived,
		Operation: safeText(o.Name), Reads: o.Reads(),
		TokenID: r.TokenID, UserID: r.OwnerID(), User: r.Owner,
		Action: actionOf(r), Severity: eventSeverity(r), Status: eventStatus(r),
		Reason: string(r.Reason), Detail: r.Detail, Error: r.ErrorType(),
		Policy: safeText(r.Policy), Asks: safeText(r.Requirement), PolicyVersion: r.Rules,
		Code: r.Status, Sent: r.BytesSent, Took: r.Duration,
		Unmapped: extrasOf(r),
	}
	if call.Path == "" { // redacted
		call.Path = safeText(o.Template)
	}
	if call.User == tokens.Unknown {
		call.User = ""
	}
	return call.Append(to)
}

func actionOf(r *Record) ocsf.Action {
	switch {
	case r.Decision != judge.Deny:
		return ocsf.Allowed
	case r.Enforced:
		return ocsf.Denied
	}
	return ocsf.Observed
}

// eventSeverity is for alarms: what keeps the gateway from its work is high, and what clients do
// not mind is none.
func eventSeverity(r *Record) ocsf.Severity {
	switch {
	case r.Outcome == Panicked,
		r.Reason == policy.DirectoryUnavailable, r.Reason == policy.GatewayMisconfigured, r.Reason == policy.AuditUnavailable:
		return ocsf.High
	case r.Optional():
		return ocsf.Informational
	case r.Refused(), r.Outcome.failed():
		return ocsf.Medium
	case r.Decision == judge.Deny:
		return ocsf.Low
	}
	return ocsf.Informational
}

func eventStatus(r *Record) ocsf.Status {
	const firstError = 400
	switch {
	case r.Outcome == Open:
		return ocsf.Unfinished
	case r.ErrorType() != "", r.Status >= firstError:
		return ocsf.Failure
	}
	return ocsf.Success
}

// inEvents are the fields for which events have a place of their own. The others are in
// unmapped, under their names.
var inEvents = map[string]bool{
	"arrived": true, "reason": true, "error_type": true, "method": true, "path": true, "operation": true, "policy": true, "policy_asks": true,
	"token_id": true, "owner_id": true, "owner": true, "detail": true, "workspace": true, "client_address": true, "user_agent": true,
	"request_id": true, "trace_id": true, "status": true, "bytes_received": true, "bytes_sent": true,
}

// extrasOf returns the fields of a record that have no place in an event, except empty ones,
// as a JSON object.
func extrasOf(r *Record) []byte {
	var extras eventExtras
	encodeAttributes(r, &extras)
	if len(extras.lines.bytes) == 0 {
		return nil
	}
	extras.lines.bytes[0] = '{' // in the place of a comma
	return append(extras.lines.bytes, '}')
}

// eventExtras are fields as members of a JSON object, each after a comma.
type eventExtras struct{ lines jsonLines }

func (e *eventExtras) text(f *field, text string) {
	if !f.inEvents {
		e.lines.text(f, text)
	}
}

func (e *eventExtras) words(f *field, words *[]string) {
	if !f.inEvents {
		e.lines.words(f, words)
	}
}

func (e *eventExtras) number(f *field, number int64) {
	if !f.inEvents {
		e.lines.number(f, number)
	}
}

func (e *eventExtras) seconds(f *field, d time.Duration) {
	if !f.inEvents {
		e.lines.seconds(f, d)
	}
}

func (e *eventExtras) truth(f *field, truth bool) {
	if !f.inEvents {
		e.lines.truth(f, truth)
	}
}

var _ attributeEncoder = (*eventExtras)(nil)
