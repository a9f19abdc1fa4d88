package decision

import (
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
)

// TestNginx: no attack gets through an nginx that asks.
func TestNginx(t *testing.T) {
	n := startNginx(t)
	n.attack(t)
	group := func(name string, cases []attacks.Case) {
		t.Run(name, func(t *testing.T) { n.tryAll(t, cases) })
	}
	group("smuggling", attacks.Smuggling())
	group("pipelines", attacks.Pipelines(n.fill))
	for _, name := range attacks.FileNames {
		t.Run("file "+name.Name, func(t *testing.T) {
			for _, sent := range name.Paths() {
				arrived := n.try(t, attacks.Case{Text: attacks.Request(http.MethodGet, sent, "files"), Want: []string{attacks.Passes}})
				if len(arrived) != 1 || arrived[0].Path != sent {
					t.Errorf("%s arrived as %v", sent, arrived)
				}
			}
		})
	}
}
