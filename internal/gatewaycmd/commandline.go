package gatewaycmd

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/cli"
)

// commandTree returns the commands as Caddy makes them. Caddy keeps its own tree to
// itself, with examples that name another program.
func commandTree() *cobra.Command {
	root := &cobra.Command{
		Use:  caddy.CustomBinaryName,
		Long: caddy.CustomLongDescription,
		Example: `  $ scopegate sidecar --workspace https://<name>.cloud.databricks.com
  $ scopegate run --config Caddyfile
  $ scopegate validate --config Caddyfile
  $ scopegate scopes explain GET /api/2.1/jobs/list`,
	}
	for _, command := range caddycmd.Commands() {
		child := &cobra.Command{Use: command.Name, Short: command.Short}
		switch {
		case command.CobraFunc != nil:
			command.CobraFunc(child)
		default:
			child.Run = func(*cobra.Command, []string) {}
			child.Flags().AddGoFlagSet(command.Flags)
		}
		root.AddCommand(child)
	}
	// Caddy adds these when it makes its tree.
	for name, short := range map[string]string{
		"completion": "Generates a completion script for a shell",
		"manpage":    "Generates the manual pages of the commands",
		"help":       "Help about any command",
	} {
		root.AddCommand(&cobra.Command{Use: name, Short: short, Run: func(*cobra.Command, []string) {}})
	}
	return root
}

// checkCommand finds mistakes that cobra answers with help and success: a misspelled
// command below another one, none at all, and help about what does not exist.
func checkCommand(root *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], "__") {
		return nil // cobra's own, for shells
	}
	help := len(args) > 0 && args[0] == "help"
	if help {
		args = args[1:]
	}
	command, rest, err := root.Find(args)
	if err != nil {
		return errors.New(strings.TrimSpace(err.Error()))
	}
	if command == root && !help && len(args) > 0 && args[0] == "" {
		return cli.NeedCommand(root, args) // as from an unset variable
	}
	if command == root || !help && asksForHelp(rest) || command.Runnable() && !command.HasSubCommands() {
		return nil
	}
	var words []string
	for _, word := range rest {
		if !strings.HasPrefix(word, "-") {
			words = append(words, word)
		}
	}
	if help && len(words) == 0 {
		return nil
	}
	return cli.NeedCommand(command, words)
}

// runs reports whether the command is one that runs a gateway until it is told to end.
// The other commands end at a signal like any program.
func runs(root *cobra.Command, args []string) bool {
	command, _, err := root.Find(args)
	return err == nil && (command.Name() == "run" || command.Name() == "sidecar")
}

// asksForRootHelp reports whether the help of the program itself is wanted.
func asksForRootHelp(args []string) bool {
	return len(args) == 0 || len(args) == 1 && (args[0] == "help" || asksForHelp(args))
}

func asksForHelp(args []string) bool {
	for _, arg := range args {
		if arg == "-h" || arg == "--help" {
			return true
		}
	}
	return false
}
