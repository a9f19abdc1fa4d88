// Package audit checks that every decision leaves a record, whatever happens to the
// request, the output, the collector or the process.
package audit
