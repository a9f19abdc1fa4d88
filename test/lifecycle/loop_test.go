package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestGatewayInFrontOfItself: it does not start. Each request would go round until it has
// filled all headers or ports.
func TestGatewayInFrontOfItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listen := processtest.FreeAddress(t)
	_, port := split(listen)
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "0.0.0.0"} {
		workspace := "http://" + host + ":" + port
		for name, command := range map[string][]string{
			"sidecar":      {"sidecar", "--workspace", workspace, "--listen", listen},
			"sidecar, all": {"sidecar", "--workspace", workspace, "--listen", ":" + port},
			"Caddyfile":    runFile(t, "admin off", fmt.Sprintf("http://:%s {\nbind 127.0.0.1\ndatabricks_gateway %s\n}", port, workspace)),
			"two directives": runFile(t, "admin off", fmt.Sprintf("http://:%s {\ndatabricks_scopes {\nworkspace %s\n}\nreverse_proxy %s\n}",
				port, workspace, workspace)),
		} {
			p := r.launch(t, listen, command)
			if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), "address of this gateway") {
				t.Errorf("%s, %s: exit code %d\n%s", name, workspace, code, p.Log)
			}
		}
	}
}
