// Package lifecycle tests how the gateway's processes start, share a machine, and end. It
// runs the command as users do.
package lifecycle

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the command scopegate, and as a client in Go.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main, "go-client": getURL})
}
