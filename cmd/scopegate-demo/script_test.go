package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain lets this test binary run as the demo and as the command scopegate, which the
// demo tells users to run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate-demo": main, "scopegate": gatewaycmd.Main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
