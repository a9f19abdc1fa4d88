package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestAfterInstallation: with a gateway that runs, probe says yes without a word, and check
// knows the gateway by what it answers.
func TestAfterInstallation(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	id, secret := workspace.AdminClient()
	env := []string{"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret}
	listen, probes := processtest.FreeAddress(t), processtest.FreeAddress(t)
	run := func(args ...string) (string, error) {
		command := exec.Command("scopegate", args...)
		// Proxies do not come between a probe and the gateway.
		command.Env = append(append(processtest.Environment(t), env...), "HTTP_PROXY=http://127.0.0.1:9")
		output, err := command.CombinedOutput()
		if strings.Contains(string(output), secret) {
			t.Errorf("%v prints a secret", args)
		}
		return string(output), err
	}
	if output, err := run("probe", "--address", probes); err == nil || !strings.Contains(output, "nothing listens on "+probes) {
		t.Errorf("without a gateway: %v\n%s", err, output)
	}
	p := processtest.Start(t, listen, env, "scopegate", "sidecar", "--workspace", workspace.URL(), "--listen", listen, "--health", probes, "--admin", "off")
	p.AwaitListener(t, probes)
	p.Await(t, "ready", func() bool { _, err := run("probe", "--address", probes); return err == nil })

	for _, test := range []struct {
		args []string
		ok   bool
		says []string // nothing: no output at all
	}{
		{[]string{"probe", "--address", probes}, true, nil},
		{[]string{"probe", "--address", probes, "--live"}, true, nil},
		{[]string{"probe", "--address", probes, "--verbose"}, true, []string{"is ready (workspaces: 1)"}},
		{[]string{"probe", "--address", listen}, false, []string{"other than databricks_scopes_health"}},
		{[]string{"check", "--workspace", workspace.URL(), "--listen", listen, "--health", probes, "--admin", "off"}, true, []string{
			listen + ": a scopegate gateway already runs there", probes + ": a scopegate gateway already runs there", " 0 failed",
		}},
		{[]string{"check", "--from-client", "--workspace", "http://127.0.0.1:9", "--gateway", "http://" + listen}, true, []string{
			"direct way     http://127.0.0.1:9: closed", "it answers and judges", "2 ok, 0 to look at",
		}},
	} {
		output, err := run(test.args...)
		if (err == nil) != test.ok || test.says == nil && output != "" {
			t.Errorf("%v: %v\n%s", test.args, err, output)
		}
		for _, part := range test.says {
			if !strings.Contains(output, part) {
				t.Errorf("%v does not say %q:\n%s", test.args, part, output)
			}
		}
	}
}
