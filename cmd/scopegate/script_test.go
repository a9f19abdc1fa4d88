package main

import (
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
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// A home without a Databricks configuration, and no variables of the
			// SDK's: scripts set what they need.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			env.Setenv("XDG_DATA_HOME", env.WorkDir)
			return nil
		},
	})
}
