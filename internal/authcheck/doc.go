// Package authcheck is the language of external authorization: a proxy describes a request
// that it is about to send, and asks whether it may. It reads these descriptions, and tells
// the answers in the form that each proxy understands. It does not know Caddy, and decides
// nothing.
//
// What is judged must be what is sent. So a description is exact, or it is refused: a field
// that is missing, doubled or contradicted by another is never guessed.
//
// Files: dialect.go (what proxies ask in), describe.go (what they say), target.go (the request
// target), answer.go (what they are told). Package extauthz is the same for Envoy's gRPC.
package authcheck
