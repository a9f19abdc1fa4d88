package ocsf

import (
	"bytes"
	"errors"
)

// ErrFormat is for a command that was given events in the place of records.
var ErrFormat = errors.New("written with audit format ocsf, for a security information system; read the lines of an output with format json, or of the log, which have all that a record says")

// Is reports whether a line of an audit log is an event, and not a record.
func Is(line []byte) bool {
	return bytes.Contains(line, []byte(`"class_uid":`)) && bytes.Contains(line, []byte(`"type_uid":`))
}
