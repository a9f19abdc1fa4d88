package processtest

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/adminsocket"
)

// NeedNoGateway skips a test whose commands look for gateways, where this machine runs some:
// the commands would find those too.
func NeedNoGateway(t *testing.T) {
	t.Helper()
	if found := adminsocket.Find().Live; len(found) > 0 {
		t.Skipf("this machine runs gateways, which the commands of this test would find: %s", strings.Join(found, ", "))
	}
}
