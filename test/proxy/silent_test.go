package proxy

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// TestSilentConnections: a connection to the workspace that goes silent is replaced. The
// times are shorter here than by default.
func TestSilentConnections(t *testing.T) {
	for _, test := range []struct {
		name   string
		start  func(testing.TB) *harness.Gateway
		url    func(*harness.Gateway) string
		before string
		after  string
	}{
		{
			"HTTP/2",
			func(t testing.TB) *harness.Gateway { return startSecureGateway(t) },
			func(g *harness.Gateway) string { return g.Workspace.TLSURL() },
			`"protocol":"databricks"`, `"protocol":"databricks","ping_after":200000000,"ping_timeout":200000000`,
		},
		{
			"HTTP/1.1",
			func(t testing.TB) *harness.Gateway {
				return harness.StartGateway(t, harness.StartWorkspace(t), "")
			},
			func(g *harness.Gateway) string { return g.Workspace.URL() },
			`"protocol":"databricks"`, `"protocol":"databricks","keep_alive":{"idle_timeout":300000000}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := test.start(t)
			network := relay.Start(t, test.url(g))
			trust := g.Change
			g.Change = func(config []byte) []byte {
				if trust != nil {
					config = trust(config)
				}
				_, address, _ := strings.Cut(test.url(g), "//")
				config = redialed(t, config, address, network.Addr())
				if bytes.Count(config, []byte(test.before)) != 1 {
					t.Fatalf("no place for the times in %s", config)
				}
				return bytes.Replace(config, []byte(test.before), []byte(test.after), 1)
			}
			g.Load(t, "databricks_gateway "+test.url(g)+" {\nusage off\n"+harness.AdminBlock+"}")
			token := g.Mint("jobs").Value
			ask := func(timeout time.Duration) int {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				response, err := harness.Client(t).Do(harness.NewRequest(t, "GET", g.URL+harness.JobsList, token, nil).WithContext(ctx))
				if err != nil {
					return 0
				}
				response.Body.Close()
				return response.StatusCode
			}
			harness.WaitFor(t, "an answer", func() bool { return ask(harness.Patience) == http.StatusOK })
			if network.Accepted() == 0 {
				t.Fatal("the relay is not on the way")
			}
			silences := map[string]func(){"frozen": network.Freeze}
			if relay.CanDrop {
				silences["dropped"] = network.Drop
			}
			for name, silence := range silences {
				before := network.Accepted()
				silence()
				harness.WaitFor(t, name+": an answer on a new connection", func() bool { return ask(time.Second) == http.StatusOK })
				if network.Accepted() == before {
					t.Errorf("%s: there is no new connection", name)
				}
			}
		})
	}
}
