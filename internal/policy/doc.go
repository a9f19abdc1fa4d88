// Package policy answers one question: is this allowed?
//
// [Decide] is a pure function from facts to a [Ruling]: what is known about the
// token, every reading of the request with the operation it names, the operator's
// rules and the time. It reads nothing else, keeps nothing and writes nothing, so
// that the same input gives the same answer in the gateway, in a rehearsal, on the
// command line and next month. How a decision is told to a client is not its
// business: that is the refusal's.
package policy
