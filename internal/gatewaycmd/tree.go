package gatewaycmd

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

// The groups of commands in the program's help.
const (
	groupGateway = "gateway"
	groupCaddy   = "caddy"
	groupProgram = "program"
)

const programName = "scopegate"

const description = `scopegate enforces API scopes on Databricks personal access tokens. It is Caddy with
the directives databricks_scopes and databricks_gateway.

To run it next to a client:  scopegate sidecar --workspace https://<name>.cloud.databricks.com
To run a Caddyfile:          scopegate run --config Caddyfile

Documentation: https://github.com/scopegate/scopegate`

// commandTree returns the commands of the program. What users see comes from it: help,
// completion, manual pages, the version. Caddy keeps its own tree to itself, and it speaks
// of Caddy. Commands that are registered with Caddy are run by runRegistered, because only
// Caddy's tree knows their exit codes.
func commandTree(runRegistered func() error) *cobra.Command {
	root := &cobra.Command{
		Use:     programName,
		Short:   "Enforces API scopes on Databricks personal access tokens",
		Long:    description,
		Version: buildinfo.Version(),
		Example: `  scopegate sidecar --workspace https://<name>.cloud.databricks.com
  scopegate run --config Caddyfile
  scopegate validate --config Caddyfile
  scopegate scopes explain GET /api/2.1/jobs/list`,
		SilenceUsage:  true,
		SilenceErrors: true, // Main prints them
	}
	cobra.AddTemplateFunc("versionLine", func() string { return versionLine(buildinfo.Read()) })
	root.SetVersionTemplate("{{versionLine}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupGateway, Title: "Commands:"},
		&cobra.Group{ID: groupCaddy, Title: "Commands of Caddy, for a gateway with a Caddyfile:"},
		&cobra.Group{ID: groupProgram, Title: "Commands about this program:"},
	)
	own := map[string]bool{}
	for _, command := range []*cobra.Command{versionCommand(), completionCommand(), manpageCommand()} {
		own[command.Name()], command.GroupID = true, groupProgram
		root.AddCommand(command)
	}
	for name, command := range caddycmd.Commands() {
		switch instead, gone := removed[name]; {
		case gone:
			root.AddCommand(removedCommand(name, instead))
		case !own[name]:
			root.AddCommand(registeredCommand(command, runRegistered))
		}
	}
	root.SetHelpCommandGroupID(groupProgram)
	root.InitDefaultHelpCmd()
	for _, command := range root.Commands() {
		if command.Name() == "help" {
			command.Short, command.Long = "Prints the help of a command", "\nPrints the help of a command.\n"
			command.Example = "  scopegate help scopes explain"
		}
	}
	return root
}

// registeredCommand returns a command that is registered with Caddy: one of Caddy's own or
// one of scopegate's.
func registeredCommand(command caddycmd.Command, run func() error) *cobra.Command {
	cmd := &cobra.Command{Use: command.Name + " " + command.Usage, Short: command.Short, Long: command.Long, GroupID: groupGateway}
	if command.CobraFunc != nil {
		command.CobraFunc(cmd)
	} else {
		cmd.RunE = func(*cobra.Command, []string) error { return nil } // replaced below
		cmd.Flags().AddGoFlagSet(command.Flags)
	}
	if text, ok := caddyTexts[command.Name]; ok {
		text.apply(cmd)
		if command.Name != "run" { // the other way to run a gateway, beside sidecar
			cmd.GroupID = groupCaddy
		}
	}
	completeValues(cmd)
	runBy(cmd, run)
	return cmd
}

// runBy makes run what a command and those below it do.
func runBy(cmd *cobra.Command, run func() error) {
	if cmd.Runnable() {
		cmd.Run, cmd.RunE = nil, func(*cobra.Command, []string) error { return run() }
	}
	for _, child := range cmd.Commands() {
		runBy(child, run)
	}
}
