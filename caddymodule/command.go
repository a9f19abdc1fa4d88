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
			for _, child := range cmd.Commands() {
				exitWithCode(child)
			}
		},
	})
}

// exitWithCode makes Caddy exit with the code of a command's error, see [cli.ExitCode].
func exitWithCode(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		code := cli.ExitCode(err)
		if code <= 1 {
			return err
		}
		cmd.PrintErrln(cmd.ErrPrefix(), err.Error()) // as cobra does
		cmd.SilenceErrors = true
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, args)
	}
}
