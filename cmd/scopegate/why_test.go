package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestWhy asks a real gateway about the id that a client got, and then its audit log.
func TestWhy(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	p, admin := startSidecar(t, workspace)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"sql"}})
	ask := func(args ...string) (string, error) {
		command := exec.Command("scopegate", append([]string{"scopes", "why"}, args...)...)
		command.Env = processtest.Environment(t)
		output, err := command.CombinedOutput()
		return string(output), err
	}

	const unseen = "00000000-0000-4000-8000-000000000000"
	if output, err := ask(unseen, "--address", admin); err == nil || !strings.Contains(output, "the gateway says: this gateway holds no decision yet") {
		t.Errorf("before the first request: %v\n%s", err, output)
	}
	status, header, body := p.Get(t, "/api/2.1/jobs/list?secret=of-the-query", token.Value)
	if status != 403 {
		t.Fatalf("%d %s", status, body)
	}
	requestID := header.Get("X-Request-Id")
	var output string
	p.Await(t, "the decision", func() (found bool) { // it is recorded once the answer was sent
		var err error
		output, err = ask(requestID[:12], "--address", admin)
		return err == nil
	})
	message := regexp.MustCompile(`"message":"(.*?) \[ReqId`).FindStringSubmatch(body)
	for _, part := range []string{
		"decision   refused: missing_scope\n", "to permit  add the scope jobs\n", "request    GET /api/2.1/jobs/list\n", "holds      sql\n", "expires    ",
		", the map in force\n", "client saw 403 from the gateway, with error_code 403 ", "message    " + message[1] + "\n", "id         " + requestID + "\n",
	} {
		if !strings.Contains(output, part) {
			t.Errorf("it does not say %q:\n%s", part, output)
		}
	}
	if strings.Contains(output, "of-the-query") || strings.Contains(output, token.Value) {
		t.Errorf("it says too much:\n%s", output)
	}
	if output, err := ask(unseen, "--address", admin); err == nil || !strings.Contains(output, "it holds the last 1, since ") {
		t.Errorf("another id: %v\n%s", err, output)
	}

	// What the sidecar prints is its audit log.
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(p.Log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	fromLog, err := ask(requestID, "--audit", log)
	if err != nil || !strings.Contains(fromLog, "to permit  add the scope jobs\n") || !strings.Contains(fromLog, ", the map of this program\n") {
		t.Errorf("from the log: %v\n%s", err, fromLog)
	}
}
