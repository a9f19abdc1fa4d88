// Package replay judges recorded use by other rules, and tells what they change: which calls
// pass now and would be refused, and the reverse.
//
// [Usage] takes what a gateway's usage store has: operations by token, with counts. It also
// tells what rehearsed policies would refuse, by policy and percentage. [Audit] takes the
// lines of audit logs: single decisions, with their paths.
//
// What cannot be judged is counted with the reason, and never left out without a word.
//
// Files: verdict.go (what becomes of a call), change.go (what changes), usage.go and
// rehearsal.go (use), audit.go, record.go and unknown.go (audit logs), seen.go (what a gateway
// sends of its use), filter.go, csv.go and text.go (answers).
package replay
