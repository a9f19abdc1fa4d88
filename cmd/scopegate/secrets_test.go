package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestSidecarPrintsNoSecrets runs a sidecar at the level DEBUG, with a collector
// that is not there and variables for it that are not as they should be, and looks
// for what is secret in all that the process ever printed.
func TestSidecarPrintsNoSecrets(t *testing.T) {
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	const mark = "s3cr3t5ecret"
	listen, nobody := freeAddress(t), freeAddress(t)

	var p *process
	t.Cleanup(func() { // runs after the process has ended
		printed := p.log.String()
		for _, hazmat := range []string{token.Value, secret, mark} {
			for line := range strings.Lines(printed) {
				if strings.Contains(line, hazmat) {
					t.Errorf("%s is in %s", hazmat, line)
				}
			}
		}
		for _, sign := range []string{
			"parse headers", "the audit loses records", `"reason":"missing_scope"`, "upstream roundtrip", "http.log.error",
		} {
			if !strings.Contains(printed, sign) {
				t.Errorf("it does not say %s:\n%s", sign, printed)
			}
		}
	})
	p = start(t, listen, []string{
		"DATABRICKS_CLIENT_ID=" + id,
		"DATABRICKS_CLIENT_SECRET=" + secret,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:" + mark + "@" + nobody,
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + mark + ",x-bad=%zz" + mark + "," + mark,
		"OTEL_RESOURCE_ATTRIBUTES=" + mark,
		"OTEL_BSP_SCHEDULE_DELAY=20",
	}, "sidecar", "--workspace", workspace.URL(), "--listen", listen, "--health", "off", "--admin", "off", "--debug")

	get := func(path string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token.Value)
		r.Header.Set("X-Custom", mark)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	get(listJobsPath + "?q=" + mark)
	get(listClustersPath + "?q=" + mark)
	get("/api/2.0/" + token.Value)
	workspace.Faults().Set("/api/2.2/jobs/", fakeworkspace.Reset())
	get(listJobsPath + "?q=" + mark)
	await(t, "the losses to show", func() bool { return strings.Contains(p.log.String(), "the audit loses records") })
	await(t, "four audit lines", func() bool { return strings.Count(p.log.String(), fmt.Sprintf("%q:%q", "msg", "decision")) == 4 })
}
