package decisions

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestMisdirectedRequests: a request for a host that no site serves is refused and
// recorded. Caddy alone would answer 200 to it.
func TestMisdirectedRequests(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.NewGateway(t, workspace)
	_, port, _ := net.SplitHostPort(g.Listen)
	// A second site on the same socket, which is not ours and says nothing.
	g.Load(t, harness.GatewayBlock(workspace, "mode observe")+"\n}\nhttp://other.example:"+port+" {\nheader X-Site other\n")
	token := g.Mint("jobs")
	want := golden.FindRefusal(t, "misdirected_request", "hosts", "127.0.0.1")

	for _, host := range []string{"localhost:" + port, "gateway.svc", "gateway.svc.cluster.local:80", "[::1]:" + port, "0.0.0.0", "127.0.0.2:" + port, "x.127.0.0.1"} {
		for _, method := range []string{"GET", "DELETE", "POST"} {
			before := len(g.ReadRecords(t))
			got := g.Send(t, method, "/api/2.0/clusters/list", func(r *http.Request) {
				r.Host = host
				harness.Bearer(token.Value)(r)
			})
			got.CheckRefusal(t, want)
			if strings.Contains(got.Body, "gateway.svc") {
				t.Errorf("%s: the answer repeats it: %s", host, got.Body)
			}
			record := g.Records(t, before+1)[before]
			if record["reason"] != "misdirected_request" || record["decision"] != "deny" || record["enforced"] != true || record["status"] != float64(421) ||
				record["method"] != method || record["path"] != "/api/2.0/clusters/list" || record["request_id"] != got.Header.Get("X-Request-Id") {
				t.Errorf("%s: record %v", host, record)
			}
		}
	}
	t.Run("absolute form", func(t *testing.T) {
		wire := g.Dial(t)
		wire.Send(t, "GET http://gateway.svc/api/2.0/clusters/list HTTP/1.1", "Host: "+g.Listen)
		wire.Answer(t, "GET").CheckRefusal(t, want)
	})
	t.Run("no host", func(t *testing.T) {
		wire := g.Dial(t)
		wire.Send(t, "GET / HTTP/1.0")
		wire.Answer(t, "GET").CheckRefusal(t, want)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer transport.CloseIdleConnections()
		for contentType, status := range map[string]int{"application/json": 421, "application/grpc": 200} {
			r := harness.NewRequest(t, "POST", g.URL+"/spark.connect.SparkConnectService/Config", token.Value, nil)
			r.Host = "gateway.svc"
			r.Header.Set("Content-Type", contentType)
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != status || response.Header.Get("X-Scopegate-Reason") != want.Reason {
				t.Errorf("%s: %d %v", contentType, response.StatusCode, response.Header)
			}
			if grpc := response.Header.Get("Grpc-Status"); (contentType == "application/grpc") != (grpc == "12") {
				t.Errorf("%s: gRPC status %q", contentType, grpc)
			}
		}
	})
	if arrived := harness.Arrivals(workspace); len(arrived) > 0 {
		t.Errorf("forwarded: %v", arrived)
	}

	// What a site serves stays as it is.
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != http.StatusOK || got.Header.Get("X-Site") != "" {
		t.Errorf("ours: %d %v", got.StatusCode, got.Header)
	}
	got := g.Send(t, "DELETE", "/", func(r *http.Request) { r.Host = "other.example" })
	if got.StatusCode != http.StatusOK || got.Body != "" || got.Header.Get("X-Site") != "other" || got.Header.Get("X-Scopegate-Reason") != "" {
		t.Errorf("other site: %d %v %q", got.StatusCode, got.Header, got.Body)
	}
}

// TestAnyHost: sites without a host serve all of them.
func TestAnyHost(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	for name, block := range map[string]string{
		"all":           harness.GatewayBlock(workspace, ""),
		"only some":     "handle /api/* {\n" + harness.GatewayBlock(workspace, "") + "\n}",
		"in a subroute": "route {\n" + harness.GatewayBlock(workspace, "") + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			g := harness.NewGateway(t, workspace)
			_, port, _ := net.SplitHostPort(g.Listen)
			// The site of the harness serves one host, and so would alone refuse the others.
			g.Load(t, fmt.Sprintf("respond /here 200\n}\nhttp://:%s {\nbind 127.0.0.1\n%s\n", port, block))
			token := g.Mint("jobs")
			for _, host := range []string{"localhost", "gateway.svc", "[::1]:" + port} {
				got := g.Send(t, "GET", harness.JobsList, func(r *http.Request) {
					r.Host = host
					harness.Bearer(token.Value)(r)
				})
				if got.StatusCode != http.StatusOK || !strings.Contains(got.Body, "jobs") {
					t.Errorf("%s: %d %s", host, got.StatusCode, got.Body)
				}
			}
		})
	}
}

// TestPathsBesideTheGateway: a site that passes some paths refuses and records the others.
// Caddy alone would answer 200 to them.
func TestPathsBesideTheGateway(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	want := golden.FindRefusal(t, "misdirected_request/path")
	for name, site := range map[string]string{
		"matcher":     strings.Replace(harness.GatewayBlock(workspace, ""), "databricks_gateway", "databricks_gateway /api/*", 1),
		"handle":      "handle /api/* {\n" + harness.GatewayBlock(workspace, "") + "\n}",
		"route":       "route /api/* {\n" + harness.GatewayBlock(workspace, "") + "\n}",
		"handle_path": "handle_path /gw/* {\n" + harness.GatewayBlock(workspace, "") + "\n}",
		"rewrite":     "rewrite /serving-endpoints/* /elsewhere\n" + "handle /api/* {\n" + harness.GatewayBlock(workspace, "") + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			g := harness.NewGateway(t, workspace)
			_, port, _ := net.SplitHostPort(g.Listen)
			// Sites beside ours that say nothing stay as they are.
			g.Load(t, site+"\nrespond /here hello\n}\nhttp://other.example:"+port+" {\nheader X-Site other\n}\n"+
				"http://:"+port+" {\nheader X-Site rest\n")
			token := g.Mint("jobs")
			for _, request := range [][2]string{
				{"DELETE", "/ajax-api/2.0/clusters/delete"}, {"POST", "/serving-endpoints/x/invocations"}, {"GET", "/"}, {"GET", "/apiary"},
			} {
				before := len(g.ReadRecords(t))
				got := g.Send(t, request[0], request[1], harness.Bearer(token.Value))
				got.CheckRefusal(t, want)
				record := g.Records(t, before+1)[before]
				if record["reason"] != "misdirected_request" || record["enforced"] != true || record["status"] != float64(421) ||
					record["method"] != request[0] || record["path"] != request[1] {
					t.Errorf("record %v", record)
				}
			}
			path := harness.JobsList
			if name == "handle_path" {
				path = "/gw" + path
			}
			if got := g.Send(t, "GET", path, harness.Bearer(token.Value)); got.StatusCode != http.StatusOK || !strings.Contains(got.Body, "jobs") {
				t.Errorf("ours: %d %s", got.StatusCode, got.Body)
			}
			if got := g.Send(t, "GET", "/here", nil); got.StatusCode != http.StatusOK || got.Body != "hello" {
				t.Errorf("another directive: %d %q", got.StatusCode, got.Body)
			}
			for host, site := range map[string]string{"other.example": "other", "third.example": "rest"} {
				got := g.Send(t, "DELETE", "/ajax-api/2.0/clusters/delete", func(r *http.Request) { r.Host = host })
				if got.StatusCode != http.StatusOK || got.Body != "" || got.Header.Get("X-Site") != site {
					t.Errorf("%s: %d %v %q", host, got.StatusCode, got.Header, got.Body)
				}
			}
		})
	}
}

// TestUnansweredOnce: a request that nobody answered gets one answer, from whoever is
// closest.
func TestUnansweredOnce(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.NewGateway(t, workspace)
	_, port, _ := net.SplitHostPort(g.Listen)
	// No site has a host, and the first has only the judge.
	g.Load(t, "respond /here 200\n}\nhttp://:"+port+" {\nbind 127.0.0.1\ndatabricks_scopes_health /probes/*\n"+
		strings.Replace(harness.ScopesBlock(workspace), "databricks_scopes", "databricks_scopes /api/*", 1))
	token := g.Mint("jobs")
	anyHost := func(r *http.Request) {
		r.Host = "gateway.svc"
		harness.Bearer(token.Value)(r)
	}
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		harness.JobsList: {http.StatusBadGateway, ""},
		"/probes/x":      {http.StatusNotFound, "404: the probes are /livez and /readyz\n"},
		"/other":         {http.StatusMisdirectedRequest, ""},
	} {
		got := g.Send(t, "GET", path, anyHost)
		if got.StatusCode != want.status || want.body != "" && got.Body != want.body || strings.Count(got.Body, "error_code") > 1 {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Body)
		}
	}
	if records := g.Records(t, 2); len(records) != 2 {
		t.Errorf("%d records: %v", len(records), records)
	}
}
