// Package fleettest runs fleets of gateways for tests: real processes in front of a fake
// workspace, with a real Redis server between them, authorities with certificates of a test's
// own, and edges.
//
// Files: rig.go (what the processes need), gateway.go (one process), caddyfile.go (its
// configuration), answer.go (requests through it), ca.go (certificates).
package fleettest
