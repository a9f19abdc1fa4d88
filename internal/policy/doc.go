// Package policy answers one question: is this request allowed?
//
// [Decide] is a pure function. Its input is what is known about the token, every
// reading of the request with the operation it names, the operator's rules and the
// time; its output is a [Ruling]. It has no other input and no state, so the same
// input gives the same answer in the gateway, in a rehearsal and on the command line.
// Package refusal words the answer for clients.
package policy
