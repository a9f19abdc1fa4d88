// Package auditlog reads audit logs: files with a line of JSON for each decision, as package
// audit writes them, also those that gzip has compressed.
//
// A line has less than the record that it was made of. [Decision] says what is missing.
package auditlog
