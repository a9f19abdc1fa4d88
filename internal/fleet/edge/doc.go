// Package edge is the client of authorities: with it, a gateway enforces without an admin
// credential of its own. It speaks the protocol of package wire.
//
// Files:
//
//	client.go   [Client]: the authorities, and which of them is asked
//	dial.go     connections: certificates and trust, read anew for each
//	lookup.go   facts about one token, and names of owners
//	problem.go  what an answer, or none, means
//	stream.go   the subscription to changes
//	events.go   reading the stream
//	ack.go      acknowledging what was applied
//	report.go   telling what this edge saw in passing
//	usage.go    handing over what tokens were seen to use
package edge
