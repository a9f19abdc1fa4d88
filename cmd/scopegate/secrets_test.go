package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestSidecarPrintsNoSecrets runs a sidecar at the level DEBUG, with a collector
// that is not running and malformed variables for it, and looks for secrets in all
// that the process printed.
func TestSidecarPrintsNoSecrets(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	const mark = "s3cr3t5ecret"
	listen, closed := processtest.FreeAddress(t), processtest.FreeAddress(t)

	var p *processtest.Process
	t.Cleanup(func() { // runs after the process has ended
		printed := p.Log.String()
		for _, hidden := range []string{token.Value, secret, mark} {
			for line := range strings.Lines(printed) {
				if strings.Contains(line, hidden) {
					t.Errorf("%s is in %s", hidden, line)
				}
			}
		}
		for _, sign := range []string{
			"parse headers", "the audit loses records", `"reason":"missing_scope"`, `"reason":"cors_preflight"`, "upstream roundtrip", "the workspace did not answer",
		} {
			if !strings.Contains(printed, sign) {
				t.Errorf("it does not say %s:\n%s", sign, printed)
			}
		}
	})
	p = processtest.Start(t, listen, []string{
		"DATABRICKS_CLIENT_ID=" + id,
		"DATABRICKS_CLIENT_SECRET=" + secret,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:" + mark + "@" + closed,
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + mark + ",x-bad=%zz" + mark + "," + mark,
		"OTEL_RESOURCE_ATTRIBUTES=" + mark,
		"OTEL_BSP_SCHEDULE_DELAY=20",
	}, "scopegate", "sidecar", "--workspace", workspace.URL(), "--listen", listen, "--health", "off", "--admin", "off", "--debug", "--cors", "*")

	send := func(method, path string, header http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	get := func(path string) {
		t.Helper()
		send("GET", path, http.Header{"Authorization": {"Bearer " + token.Value}, "X-Custom": {mark}, "Origin": {"https://" + mark + ".example.com"}})
	}
	send("OPTIONS", listJobsPath, http.Header{"Origin": {"https://" + mark + ".example.com"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {mark}})
	get(listJobsPath + "?q=" + mark)
	get(listClustersPath + "?q=" + mark)
	get("/api/2.0/" + token.Value)
	workspace.Faults().Set("/api/2.2/jobs/", fakeworkspace.Reset())
	get(listJobsPath + "?q=" + mark)
	p.Await(t, "the losses to show", func() bool { return strings.Contains(p.Log.String(), "the audit loses records") })
	p.Await(t, "five audit lines", func() bool { return strings.Count(p.Log.String(), fmt.Sprintf("%q:%q", "msg", "decision")) == 5 })
}
