// Package gatewaycmd is the scopegate command: Caddy with its standard modules, the
// scopegate modules and the command sidecar. It is a package so that the demo can run
// the same gateway in its process.
package gatewaycmd

import (
	"fmt"
	"os"
	"sync"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/scopegate/scopegate/internal/caddymodules" // Caddy's own modules
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/sanitize"
)

// registerCommands adds scopegate's own commands to Caddy's, once.
var registerCommands = sync.OnceFunc(func() {
	for _, command := range []caddycmd.Command{sidecarCommand(), probeCommand(), preflightCommand(), webhookCommand()} {
		caddycmd.RegisterCommand(command)
	}
})

// Main runs the command in os.Args. It exits the process on failure.
func Main() {
	caddy.CustomBinaryName = programName
	registerCommands()
	args := os.Args[1:]
	var root *cobra.Command
	root = commandTree(func() error { return runCaddy(root, args) })
	err := checkCommand(root, args)
	if err == nil {
		root.SetArgs(args)
		err = root.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", sanitize.Error(err))
		os.Exit(caddy.ExitCodeFailedStartup)
	}
}

// runCaddy runs a command that is registered with Caddy. Caddy exits the process if it fails.
func runCaddy(root *cobra.Command, args []string) error {
	if err := findAdmin(root, args); err != nil {
		return err
	}
	if runs(root, args) {
		caddyserver.WatchSignals()
	}
	registerSafeAdapters()
	os.Args = append(os.Args[:1], withSafeLogs(root, args)...)
	caddymodule.GuardOpenTelemetry() // until the process ends
	caddycmd.Main()
	return nil
}
