package gatewaycmd

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/cli"
)

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
	// One that has commands and says which arguments it takes works without them, too.
	works := command.Runnable() && (!command.HasSubCommands() || command.Args != nil)
	if command == root || !help && asksForHelp(rest) || works {
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

// asksForHelp reports whether the help of a command is wanted.
func asksForHelp(args []string) bool {
	for _, arg := range args {
		if arg == "-h" || arg == "--help" {
			return true
		}
	}
	return false
}
