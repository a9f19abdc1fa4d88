package learning

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

const event = "databricks_map_disagreement"

// TestAnswers: what each kind of answer teaches, in both modes and versions of HTTP. Every
// operation is used by one case.
func TestAnswers(t *testing.T) {
	for _, mode := range []string{"observe", "enforce"} {
		for _, version := range []string{"HTTP/1", "HTTP/2"} {
			t.Run(mode+", "+version, func(t *testing.T) { testAnswers(t, mode, version) })
		}
	}
}

func testAnswers(t *testing.T, mode, version string) {
	const refused = "Provided access token does not have required scopes: "
	workspace := answering(t, map[string]string{
		"GET " + clusters: "clusters", "GET " + catalogs: "sql", "GET " + secrets: "secrets", "GET " + alerts: "all-apis",
		"GET /api/2.0/ip-access-lists": "networking",
	})
	answer := func(route string, status int, body string, header ...string) {
		workspace.Handle(route, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, `{"error_code":403,"message":"`+refused+`sql [ReqId: 1]"}`)
	_ = z.Close()
	long := `{"message":"` + refused + `sql","padding":"` + strings.Repeat("x", 64<<10) + `"}`
	answer("GET /api/2.0/instance-pools/list", 403, "Invalid scope, required scopes: clusters")
	answer("GET /api/2.0/policies/clusters/list", 403, zipped.String(), "Content-Encoding", "gzip")
	answer("GET /api/2.0/global-init-scripts", 401, "{}", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="clusters"`)
	answer("GET /api/2.0/workspace/list", 403, long)
	answer("GET /api/2.0/repos", 403, `{"error_code":"PERMISSION_DENIED","message":"no"}`)
	answer("GET /api/2.0/pipelines", 403, `{"message":"`+refused+`sql"}`, "X-Scopegate-Reason", "missing_scope")
	answer("GET /api/2.0/instance-profiles/list", 403, `{"message":"`+refused+`sql, <script>"}`)

	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(event)
	g.Load(t, harness.GatewayBlock(workspace, "mode "+mode))
	client := harness.Client(t)
	if version == "HTTP/2" {
		client = harness.ClientH2C(t)
	}
	tokens, want := make(map[string]string), make(map[string]string)
	for _, test := range []struct {
		name, method, path, held string
		operation                string // "" if nothing is learned
		agreed, disagreed        int
		named, passed            []string
		observed                 bool // only in mode observe does it get that far
	}{
		{"passed", "GET", clusters, "clusters", "compute.Clusters.List", 1, 0, nil, []string{"clusters"}, false},
		{"refused naming another scope", "GET", catalogs, "unity-catalog", "catalog.Catalogs.List", 0, 1, []string{"sql"}, nil, false},
		{"refused naming all-apis", "GET", alerts, "alerts", "sql.AlertsV2.ListAlerts", 0, 1, []string{"all-apis"}, nil, false},
		{"refused as the map says", "GET", "/api/2.0/ip-access-lists", "clusters", "settings.IpAccessLists.List", 1, 0, []string{"networking"}, nil, true},
		{"passed with all-apis", "GET", secrets, "all-apis", "", 0, 0, nil, nil, false},
		{"passed without scopes", "GET", secrets, "", "", 0, 0, nil, nil, true},
		{"plain text", "GET", "/api/2.0/instance-pools/list", "instance-pools", "compute.InstancePools.List", 0, 1, []string{"clusters"}, nil, false},
		{"compressed", "GET", "/api/2.0/policies/clusters/list", "clusters", "compute.ClusterPolicies.List", 0, 1, []string{"sql"}, nil, false},
		{"a challenge", "GET", "/api/2.0/global-init-scripts", "global-init-scripts", "compute.GlobalInitScripts.List", 0, 1, []string{"clusters"}, nil, false},
		{"too long", "GET", "/api/2.0/workspace/list", "workspace", "", 0, 0, nil, nil, false},
		{"no permission", "GET", "/api/2.0/repos", "workspace", "", 0, 0, nil, nil, false},
		{"another gateway's", "GET", "/api/2.0/pipelines", "pipelines", "", 0, 0, nil, nil, false},
		{"text instead of names", "GET", "/api/2.0/instance-profiles/list", "instance-profiles", "", 0, 0, nil, nil, false},
		{"HEAD", "HEAD", "/api/2.0/fs/files/Volumes/a/b/c/d", "files", "files.GetMetadata", 0, 1, []string{"sql"}, nil, false},
	} {
		if mode == "enforce" && test.observed {
			continue
		}
		if _, ok := tokens[test.held]; !ok {
			tokens[test.held] = g.Mint(strings.Fields(test.held)...).Value
		}
		if test.method == "HEAD" {
			answer("HEAD /api/2.0/fs/files/", 403, "", "X-Databricks-Reason-Phrase", refused+"sql")
		}
		got := harness.Do(t, client, harness.NewRequest(t, test.method, g.URL+test.path, tokens[test.held], nil))
		if test.name == "too long" && got.Body != long || test.name == "compressed" && got.Body != zipped.String() {
			t.Errorf("%s: the body of %d bytes was changed", test.name, len(got.Body))
		}
		if test.operation != "" {
			want[test.operation] = fmt.Sprint(test.agreed, 2*test.disagreed, test.named, test.passed)
		}
		if test.disagreed > 0 {
			if e := harness.NextEvent(t); e.Name() != event || e.Data["operation"] != test.operation || e.Data["workspace"] != workspace.URL() {
				t.Errorf("%s: event %v", test.name, e.Data)
			}
			// A second one is only counted.
			series := fmt.Sprintf("scopegate_map_disagreements_total{operation=%q}", test.operation)
			before := g.Metric(t, series)
			harness.Do(t, client, harness.NewRequest(t, test.method, g.URL+test.path, tokens[test.held], nil))
			harness.WaitFor(t, series, func() bool { return g.Metric(t, series) == before+1 })
		}
	}
	harness.NoEvent(t, 0)
	learned, text := lessons(t, g)
	got := make(map[string]string, len(learned))
	for name, l := range learned {
		got[name] = fmt.Sprint(l.Agreed, l.Disagreed, l.named(), l.held())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("learned (- want, + got):\n%s", diff)
	}
	for _, secret := range []string{"<script>", "Volumes", "padding"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q was saved", secret)
		}
	}
}
