package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	id, secret := workspace.AdminClient()
	robot := workspace.AddServicePrincipal("robot", false)
	run := func(args ...string) (string, error) {
		command := exec.Command("scopegate", append([]string{"scopes", "verify", "--workspace", workspace.URL()}, args...)...)
		command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + t.TempDir(), "DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret}
		output, err := command.CombinedOutput()
		return string(output), err
	}
	for _, test := range []struct {
		name  string
		args  []string
		fault fakeworkspace.Kind
		set   bool
		ok    bool
		says  []string
	}{
		{name: "holds", ok: true, says: []string{"its id is the SHA-256 of its value", "it was deleted again", "The rule holds on this workspace."}},
		{name: "on behalf of", args: []string{"--application-id", robot.ApplicationID}, ok: true, says: []string{"on behalf of a service principal"}},
		{name: "cannot be found out", fault: fakeworkspace.InternalError(), set: true, says: []string{"Token Management API failed"}},
		{name: "not an admin", fault: fakeworkspace.RejectAdmin(403), set: true, says: []string{"refused the admin credential"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace.Faults().Clear()
			if test.set {
				workspace.Faults().Set("/api/2.0/token", test.fault)
			}
			output, err := run(test.args...)
			if (err == nil) != test.ok {
				t.Errorf("%v\n%s", err, output)
			}
			for _, part := range test.says {
				if !strings.Contains(output, part) {
					t.Errorf("it does not say %q:\n%s", part, output)
				}
			}
			if strings.Contains(output, "dapi") || strings.Contains(output, secret) {
				t.Errorf("a secret is printed:\n%s", output)
			}
		})
	}
}
