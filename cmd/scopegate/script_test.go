package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary serve as the command scopegate, for the scripts
// and for the tests that start a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": main})
}

// TestScripts runs testdata/script/*.txtar. Each is a session with the command:
// what is typed, what comes back, and the files that it needs.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// A home directory without a Databricks configuration. Scripts start without
			// the SDK's variables and set what they need.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			env.Setenv("XDG_DATA_HOME", env.WorkDir)
			return nil
		},
	})
}

// TestNoTestDoubles keeps the fake workspace, which mints tokens for anyone, out of
// the gateway.
func TestNoTestDoubles(t *testing.T) {
	t.Parallel()
	output, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(output))
	if len(packages) < 100 {
		t.Fatalf("go list names only %d packages", len(packages))
	}
	for _, name := range packages {
		if strings.Contains(name, "scopegate/internal/testing") {
			t.Errorf("the gateway contains %s", name)
		}
	}
}
