package console

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/history"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestPrometheus: a real server that scrapes a gateway answers the page's query with what was
// decided.
func TestPrometheus(t *testing.T) {
	prometheus, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed")
	}
	scraped, server, page := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
	g := harness.NewGateway(t, harness.StartWorkspace(t))
	port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
	g.Load(t, harness.GatewayBlock(g.Workspace, "")+"\n}\nhttp://:"+port(scraped)+" {\nbind 127.0.0.1\nmetrics /metrics\n}\n"+
		"http://:"+port(page)+" {\nbind 127.0.0.1\ndatabricks_console {\nprometheus http://"+server+" {\nmatch job=gateways\n}\n}")

	folder := harness.TempDir(t)
	config := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 100ms}
scrape_configs:
- job_name: gateways
  static_configs: [{targets: [%q]}]
`, scraped), 0o600); err != nil {
		t.Fatal(err)
	}
	process := processtest.Start(t, server, nil, prometheus, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+server)

	// The page shows bins that are over, so ask as of the end of the one that goes on.
	now := func() time.Time { return time.Now().Add(history.Periods[0].Step) }
	address, err := url.Parse("http://" + server)
	if err != nil {
		t.Fatal(err)
	}
	may, mayNot := g.Mint("jobs"), g.Mint("sql")
	process.Await(t, "decisions to be counted", func() bool {
		g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(may.Value))
		g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(mayNot.Value))
		past := history.New(history.Settings{URL: address, Matches: []history.Match{{Label: "job", Value: "gateways"}}}, now)
		defer past.Close()
		counted, err := past.Decisions(t.Context(), 0)
		if err != nil {
			return false // it is starting
		}
		var total recent.Classes
		for _, bin := range counted.Bins {
			total.Allowed += bin.Allowed
			total.Refused += bin.Refused
			total.WouldRefuse += bin.WouldRefuse
			total.Unavailable += bin.Unavailable
		}
		if total.WouldRefuse != 0 || total.Unavailable != 0 {
			t.Fatalf("%+v", total)
		}
		return total.Allowed > 0 && total.Refused > 0
	})
	for _, period := range []string{"6h", "24h", "7d"} {
		body := read(t, "http://"+page+"/?period="+period)
		if strings.Contains(body, "Prometheus: ") || !strings.Contains(body, `<a href="/?period=`+period+`" aria-current="true">`) || strings.Contains(body, "Decisions in the last hour") {
			t.Errorf("%s:\n%s", period, body)
		}
	}
}

// TestPrometheusDown: without an answer, the page shows the last hour.
func TestPrometheusDown(t *testing.T) {
	g := harness.NewGateway(t, harness.StartWorkspace(t))
	page := harness.FreeAddress(t)
	_, port, _ := strings.Cut(page, ":")
	g.Load(t, harness.GatewayBlock(g.Workspace, "")+"\n}\nhttp://:"+port+" {\nbind 127.0.0.1\ndatabricks_console {\nprometheus http://"+harness.FreeAddress(t)+"\n}")
	body := read(t, "http://"+page+"/?period=7d")
	if !strings.Contains(body, "connection refused. This is the last hour of this gateway.") || !strings.Contains(body, "Decisions in the last hour") {
		t.Errorf("%s", body)
	}
}
