// Package judge decides what becomes of a request. [Judge.Judge] turns a request
// into one [Judgement]: which operations the path may name, who sends it, what is
// known of the token, the decision, its reason and what would be needed instead.
//
// The handler, the audit record, the refusal, scopes explain and the admin API all
// read that value; nothing travels beside it. The package does not know Caddy.
//
// Files, in the order in which a request meets them: request.go (what two servers
// could understand differently), judge.go (the steps), judgement.go (the result),
// headers.go (what must not leave beside the judged token), change.go (requests that
// change tokens), explain.go (the same answer for people).
package judge
