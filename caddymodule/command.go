package caddymodule

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/cli"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  cli.Name,
		Usage: cli.Usage,
		Short: cli.Short,
		Long:  cli.Long,
		CobraFunc: func(cmd *cobra.Command) {
			cli.Add(cmd, cli.Deps{
				LoadConfig: loadConfig,
				AdminDo:    caddycmd.AdminAPIRequest,
				FindAdmin:  caddyserver.FindAdmin,
			})
		},
	})
}
