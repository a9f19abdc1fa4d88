// Package refusal tells a decision to a client: status, message, headers, and a body
// in the form that Databricks' own APIs use, or in another one that the clients of the
// route show: an error of JSON-RPC, or a gRPC status.
//
// It is the only place that holds the wording. To change a sentence, change the table
// in wording.go, its golden in testdata/refusals.json and the table in README.md.
package refusal
