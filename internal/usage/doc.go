// Package usage knows what each token was seen to use, and the smallest set of
// scopes that covers it.
//
// A recorder counts every judged request by token and operation. Its tables are
// bounded: what is least recently used goes first, and the counts of what went are
// kept, so that a report can say that it is not complete. A [Ledger] adds what a
// recorder counted to a snapshot in a [Store] now and then, so that it survives
// restarts and so that gateways which share the store report together.
//
// coverOf finds the smallest set of scopes that permits a set of operations;
// recommend applies it to what one token was seen to do, and [NewReport] joins
// the recorder's state with the workspace's own list of tokens.
//
// Nothing here grants or refuses anything, and nothing here ever holds a token's
// value: a token is known by its id alone, and whatever does not look like an id is
// not recorded.
package usage
