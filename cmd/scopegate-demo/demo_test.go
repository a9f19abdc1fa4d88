package main

import (
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// find returns what the group of a pattern matches in a text.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("nothing matches %s in:\n%s", pattern, text)
	}
	return match[1]
}

// TestSidecarOfTheDemo runs the commands that the demo prints for a sidecar.
func TestSidecarOfTheDemo(t *testing.T) {
	t.Parallel()
	listen := processtest.FreeAddress(t)
	demo := processtest.Start(t, listen, nil, "scopegate-demo", "--listen", listen)
	printed := demo.AwaitLog(t, "Press Ctrl-C")
	lines := find(t, printed, `To run a sidecar .*:\n\n((?:.+\n)+)\n`)
	address := find(t, printed, `It accepts the same tokens, at http://(\S+)\.`)
	jobs := find(t, printed, `jobs\+clusters +(dapi[0-9a-f]+) `)
	sql := find(t, printed, `sql +(dapi[0-9a-f]+) `)

	shell := exec.Command("sh", "-c", lines)
	shell.Env = processtest.Environment(t)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to stop the shell's children too
	log := new(processtest.Log)
	shell.Stdout, shell.Stderr = log, log
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-shell.Process.Pid, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = shell.Wait() // always an error: the signal ends the shell
	})
	sidecar := &processtest.Process{URL: "http://" + address, Log: log}
	sidecar.AwaitListener(t, address)
	for _, test := range []struct {
		name, token string
		status      int
	}{
		{"in scope", jobs, 200},
		{"out of scope", sql, 403},
	} {
		if status, header, body := sidecar.Get(t, "/api/2.2/jobs/list", test.token); status != test.status {
			t.Errorf("%s: %d %v %s", test.name, status, header, body)
		}
	}
	sidecar.AwaitLog(t, `"reason":"missing_scope"`)
	if strings.Contains(demo.Log.String(), "missing_scope") {
		t.Error("the calls went through the demo's gateway")
	}
}

// TestCurlLines runs the curl commands that the demo prints.
func TestCurlLines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	listen := processtest.FreeAddress(t)
	demo := processtest.Start(t, listen, nil, "scopegate-demo", "--listen", listen)
	examples := regexp.MustCompile(`(?m)^# (allowed|refused): .*\n(curl .*)$`).FindAllStringSubmatch(demo.AwaitLog(t, "Press Ctrl-C"), -1)
	if len(examples) != 6 {
		t.Fatalf("the demo prints %d curl commands, want 6", len(examples))
	}
	for _, example := range examples {
		output, err := exec.Command("sh", "-c", example[2]+" --silent").Output()
		if err != nil {
			t.Fatal(err)
		}
		if allowed := strings.HasPrefix(string(output), "HTTP/1.1 200"); allowed != (example[1] == "allowed") {
			t.Errorf("%s:\n%s", example[0], output)
		}
	}
}

// TestAddressInUse: the demo does not share an address with another process.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	listen := processtest.FreeAddress(t)
	processtest.Start(t, listen, nil, "scopegate-demo", "--listen", listen)
	second := processtest.Launch(t, listen, nil, "scopegate-demo", "--listen", listen)
	if code := second.Exit(t); code != 1 || !strings.Contains(second.Log.String(), "another process already listens on "+listen) {
		t.Errorf("exit code %d\n%s", code, second.Log)
	}
}
