// Package audit checks that every decision leaves a record, even if the request, the
// output, the collector or the process fails.
package audit
