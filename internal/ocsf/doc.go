// Package ocsf writes events of the Open Cybersecurity Schema Framework, which security
// information systems read: decisions as API Activity, and findings as Detection Finding.
// It knows neither records nor Caddy: it is given what an event says.
//
// Texts must have been sanitized. Any are encoded as valid JSON.
//
// Files: event.go (what all events have), objects.go, activity.go, finding.go, is.go (how
// to tell events from records).
package ocsf
