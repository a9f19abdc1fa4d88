// Package fleet tests gateways that share what they find out about tokens: real processes in
// front of a workspace that counts what it is asked, with a real Redis server between them.
// Redis is killed, paused, filled and emptied; authorities are killed; networks go silent.
// Where there is no redis-server, the tests that need one are skipped.
//
// Files: redis_test.go (faults of Redis), traffic_test.go (clients that compare every answer
// with what is true), verdict_test.go; each of the others has the tests of one subject. The
// processes are those of package fleettest.
package fleet

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the command scopegate.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main})
}
