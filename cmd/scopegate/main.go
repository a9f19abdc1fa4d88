// Command scopegate is a gateway for Databricks workspaces: Caddy with its
// standard modules, the scopegate modules and the command sidecar.
//
//	scopegate sidecar --workspace <url>  run it beside a client, without a Caddyfile
//	scopegate run --config Caddyfile     run it as Caddy
//
// To see it work without a workspace, use scopegate-demo.
package main

import "github.com/scopegate/scopegate/internal/gatewaycmd"

func main() {
	limitMemory()
	gatewaycmd.Main()
}
