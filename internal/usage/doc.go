// Package usage records what each token was seen to use, and works out the smallest
// set of scopes that covers it.
//
// A [Ledger] counts every judged request by token and operation. Its tables are
// bounded: the least recently used entries go first, and what they counted is
// remembered, so that a report can say that it is incomplete. Every ledger saves its
// counts to a [Store] at intervals, so that they survive restarts and gateways that
// share the store report together.
//
// [Recommend] finds the smallest set of scopes for what one token was seen to do, and
// [NewReport] joins the ledger's state with the workspace's own list of tokens.
//
// This package grants and refuses nothing, and never holds a token's value: tokens are
// known by their ids, and anything that does not look like an id is not recorded.
package usage
