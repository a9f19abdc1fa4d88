package operations

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

const (
	managementAPI = "/api/2.0/token-management/"
	eventUnjudged = "databricks_requests_unjudged"
)

// TestSilentConnections: look-ups recover from connections to the workspace that went
// silent, within seconds and by new connections; meanwhile /readyz and the metrics tell.
func TestSilentConnections(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2 over TLS"}[secure], func(t *testing.T) {
			workspace := fakeworkspace.New()
			start, scheme := workspace.Start, "http://"
			if secure {
				start, scheme = workspace.StartTLS, "https://"
			}
			if err := start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(workspace.Close)
			if secure { // look-ups clone the default transport
				usual := http.DefaultTransport
				trusting := usual.(*http.Transport).Clone()
				trusting.TLSClientConfig = &tls.Config{RootCAs: workspace.CAPool()}
				http.DefaultTransport = trusting
				t.Cleanup(func() { http.DefaultTransport = usual })
			}
			t.Setenv("TEST_ADMIN_TOKEN", workspace.AdminToken())
			network := relay.Start(t, workspace.URL())
			g := harness.NewGateway(t, workspace)
			g.Global = "shutdown_delay 1ms"
			g.Load(t, fmt.Sprintf(`databricks_scopes_health
			handle /api/* {
				databricks_gateway %s%s {
					admin {
						token {env.TEST_ADMIN_TOKEN}
					}
					lookup {
						timeout 500ms
					}
				}
			}`, scheme, network.Addr()))
			// A token that lacks the scope is refused by the gateway, once it knows it.
			ask := func() harness.Answer {
				return g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("sql").Value))
			}
			ask().CheckRefusal(t, golden.FindRefusal(t, "missing_scope", "scopes", "jobs"))

			silences := []func(){network.Freeze}
			if relay.CanDrop {
				silences = append(silences, network.Drop)
			}
			for _, silence := range silences {
				silence()
				before := network.Accepted()
				frozen := time.Now()
				harness.WaitFor(t, "look-ups on a new connection", func() bool { return ask().StatusCode == http.StatusForbidden })
				if took := time.Since(frozen); took > 10*time.Second || network.Accepted() == before {
					t.Errorf("look-ups recovered after %s by %d new connections", took, network.Accepted()-before)
				}
			}

			network.FreezeAll()
			for range 4 {
				ask().Refused(t, 503, "directory_unavailable")
			}
			var ready struct {
				Ready      bool
				Workspaces []struct{ Reason, Message string }
			}
			if err := json.Unmarshal([]byte(g.Send(t, "GET", "/readyz", nil).Body), &ready); err != nil || !ready.Ready || ready.Workspaces[0].Reason != "timeout" {
				t.Errorf("/readyz says %+v, %v", ready, err)
			}
			for series, want := range map[string]float64{`scopegate_authority_up`: 0, `scopegate_ready`: 1, `scopegate_authority_down{reason="timeout"}`: 1} {
				if got := g.Metric(t, series); got != want {
					t.Errorf("%s is %g, want %g", series, got, want)
				}
			}
			network.Thaw()
			harness.WaitFor(t, "look-ups", func() bool { return ask().StatusCode == http.StatusForbidden })
			if got := g.Metric(t, "scopegate_authority_up"); got != 1 {
				t.Errorf("scopegate_authority_up is %g", got)
			}
		})
	}
}

// TestUnjudgedRequestsAreTold: an outage is an event at once, with how many requests it
// met; so is its end, with the sum.
func TestUnjudgedRequestsAreTold(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(eventDown, eventUp, eventUnjudged)
	g.Load(t, harness.GatewayBlock(workspace, ""))
	ask := func() int { return g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs").Value)).StatusCode }

	workspace.Faults().Set(managementAPI, fakeworkspace.InternalError())
	const refused = 7
	for range refused {
		if got := ask(); got != 503 {
			t.Fatalf("answered %d", got)
		}
	}
	// The request and the look-up that failed are reported side by side, in no fixed order.
	first, second := harness.NextEvent(t), harness.NextEvent(t)
	if first.Name() == eventDown {
		first, second = second, first
	}
	if first.Name() != eventUnjudged || first.Data["outage"] != "server_error" || first.Data["unjudged"] != 1 || first.Data["workspace"] != workspace.URL() {
		t.Errorf("the first request: %s %v", first.Name(), first.Data)
	}
	if message, _ := second.Data["message"].(string); second.Name() != eventDown || second.Data["outage"] != "server_error" || message == "" {
		t.Errorf("the outage: %s %v", second.Name(), second.Data)
	}
	workspace.Faults().Clear()
	more := 0
	harness.WaitFor(t, "look-ups to work again", func() bool {
		if ask() == 200 {
			return true
		}
		more++
		return false
	})
	e := harness.NextEvent(t)
	if e.Name() != eventUp || e.Data["unjudged"] != refused+more || e.Data["seconds"].(float64) <= 0 {
		t.Errorf("the end: %s %v, want %d requests", e.Name(), e.Data, refused+more)
	}
	harness.NoEvent(t, 0)
}

// TestProbeAtStart: the credential is tried at start, by one look-up, and not again by a
// reload unless it is another one.
func TestProbeAtStart(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	t.Setenv("TEST_ADMIN_TOKEN", workspace.AdminToken())
	g := harness.StartGateway(t, workspace, "")
	probes := func(want int) {
		t.Helper()
		harness.WaitFor(t, fmt.Sprintf("%d probes", want), func() bool { return workspace.Counts().Probes >= want })
		if got := workspace.Counts().Probes; got != want {
			t.Errorf("%d probes, want %d", got, want)
		}
	}
	probes(1)
	if got := g.Metric(t, "scopegate_ready"); got != 1 {
		t.Errorf("scopegate_ready is %g before the first request", got)
	}
	g.Load(t, harness.GatewayBlock(workspace, "mode observe"))
	g.Load(t, harness.GatewayBlock(workspace, "cache {\nttl 5m\n}"))
	probes(1)
	g.Load(t, fmt.Sprintf("databricks_gateway %s {\nadmin {\ntoken {env.TEST_ADMIN_TOKEN}\n}\n}", workspace.URL()))
	probes(2)
}

// TestCredentialThatIsNotThere: a reload to a configuration whose secret does not exist is
// refused, and the running one goes on.
func TestCredentialThatIsNotThere(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	err := g.TryLoad(t, fmt.Sprintf("databricks_gateway %s {\nadmin {\ntoken {file./no/such/secret}\n}\n}", workspace.URL()))
	if err == nil || !strings.Contains(err.Error(), "admin token: {file./no/such/secret} cannot be read") {
		t.Errorf("loading: %v", err)
	}
	if got := g.SendAfterReload(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs").Value), 200); got.StatusCode != 200 {
		t.Errorf("the running configuration answers %d", got.StatusCode)
	}
}

// TestPlainHTTP: tokens do not leave private networks in the clear, however the workspace
// is written, unless the operator insists.
func TestPlainHTTP(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, "respond ok")
	t.Setenv("TEST_WORKSPACE", "http://x.cloud.databricks.com")
	for _, url := range []string{"{env.TEST_WORKSPACE}", "prod"} {
		for option, ok := range map[string]bool{"": false, "insecure_http": true} {
			t.Run(url+" "+option, func(t *testing.T) {
				g.Global = fmt.Sprintf("databricks {\nworkspace prod {env.TEST_WORKSPACE} {\n%s\n}\n}", option)
				handler := "databricks_scopes {\nworkspace prod\n}"
				if url != "prod" {
					g.Global, handler = "", fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s\nlookup {\ntimeout 100ms\n}\n}", url, option)
				}
				err := g.TryLoad(t, handler)
				if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "set insecure_http") {
					t.Errorf("loading: %v", err)
				}
			})
		}
	}
}
