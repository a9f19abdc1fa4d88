// Package gatewaycmd is the scopegate command: Caddy with its standard modules, the
// scopegate modules and the command sidecar. It is a package so that the demo can run
// the same gateway in its process.
package gatewaycmd

import (
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // Caddy's own modules

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/sanitize"
)

const description = `scopegate enforces API scopes on Databricks personal access tokens. It is Caddy
with the directives databricks_scopes and databricks_gateway, and has all of Caddy's
commands.

To run it next to a client:  scopegate sidecar --workspace https://<name>.cloud.databricks.com
To run a Caddyfile:          scopegate run --config Caddyfile
`

// Main runs the command in os.Args. It exits the process on failure.
func Main() {
	caddy.CustomBinaryName = "scopegate"
	caddy.CustomLongDescription = description
	caddycmd.RegisterCommand(sidecarCommand())
	root, args := commandTree(), os.Args[1:]
	if asksForRootHelp(args) {
		_ = root.Help() // fails only if nobody reads it
		return
	}
	if err := checkCommand(root, args); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", sanitize.Error(err))
		os.Exit(caddy.ExitCodeFailedStartup)
	}
	if err := findAdmin(root, args); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(caddy.ExitCodeFailedStartup)
	}
	if runs(root, args) {
		caddyserver.WatchSignals()
	}
	registerSafeAdapters()
	os.Args = append(os.Args[:1], withSafeLogs(root, args)...)
	caddymodule.GuardOpenTelemetry() // until the process ends
	caddycmd.Main()
}
