package hardening

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
)

// TestSmuggling tries requests whose end is ambiguous. [rig.try] checks that the second
// request does not arrive.
func TestSmuggling(t *testing.T) { startRig(t, "").all(t, attacks.Smuggling()) }
