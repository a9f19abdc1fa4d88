// Command scopegate is a gateway for Databricks workspaces: Caddy with its
// standard modules, the scopegate modules, and the commands demo and sidecar.
//
//	scopegate demo                       see it at work, with an embedded workspace
//	scopegate sidecar --workspace <url>  run it beside a client, without a Caddyfile
//	scopegate run --config Caddyfile     run it as Caddy
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/scopegate/scopegate/caddymodule"
)

func main() {
	caddy.CustomBinaryName = "scopegate"
	caddy.CustomLongDescription = description
	tuneGC()
	caddycmd.Main()
}
