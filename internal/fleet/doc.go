// Package fleet lets many gateways in front of one workspace share what each finds out
// about tokens, so that the workspace is asked once for all of them and a revocation
// reaches all of them at once.
//
// # Three shapes
//
//	single      one gateway, or several that know nothing of each other
//	shared      gateways with an admin credential share facts through Redis or Valkey
//	authorities two or three such gateways answer edges, which hold no admin credential
//
// # Rooms
//
//	seal       meaningless names and sealed values, under the fleet's key
//	redis      one connection that never keeps anybody waiting for more than 50 ms
//	changelog  what was changed, in order: in memory, or in a Redis stream
//	store      facts, leases, budget and members in Redis; usage snapshots too
//	wire       what edges and authorities say to each other
//	authority  the service that answers edges
//	edge       its client
//
// A [Generation] counts changes. Facts carry the generation at which they were asked for:
// after a change that concerns them, facts of an older generation are refused, wherever
// they come from.
package fleet
