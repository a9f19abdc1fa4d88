package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the demo, and as the command scopegate
// that the demo tells its users to run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate-demo": main, "scopegate": gatewaycmd.Main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
