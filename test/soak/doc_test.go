// Package soak runs the gateway for a long time while everything around it fails and
// changes: the workspace's token API, the network, tokens, the configuration, and the
// gateway's own process, which is told to end again and again. Afterwards every request
// of every client is compared with the truth about its token and with the audit. The flag
// -soak sets how long; without it the test is skipped.
//
// Files: soak_test.go (the run), times_test.go, gateway_test.go (the process),
// workspace_test.go (what it serves), faults_test.go, tokens_test.go (the truth),
// calls_test.go and transfers_test.go (the clients), keepalive_test.go, exchange_test.go
// (what a client saw), audit_test.go (what the records say, and whether both agree).
//
// A second soak runs a fleet: authorities that share by Redis, and edges. It is short unless
// the flag -fleet says more. Files: fleet_test.go (the run), fleettruth_test.go (what tokens
// may do, and from when on everybody must know it), fleetfaults_test.go (what fails, and what
// is changed).
package soak

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the command scopegate.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main})
}
