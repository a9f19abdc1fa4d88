// Package audit keeps the record of decisions: one [Record] per request, begun
// before anything can go wrong, filled on the way and emitted once, with the same
// fields whether the request was allowed, refused or only would have been.
//
// A record never holds a token, a header value other than the user agent, a query
// or a body. Tokens appear by their id, which is no secret.
package audit
