package gatewaycmd

import (
	"errors"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/caddyserver"
)

// findAdmin makes Caddy's commands for a running gateway find it as ours do. Alone they only
// know the address of a configuration file and Caddy's default.
func findAdmin(root *cobra.Command, args []string) error {
	command, rest, err := root.Find(args)
	if err != nil || command.Name() != "stop" && command.Name() != "reload" || command.ParseFlags(rest) != nil || asksForHelp(rest) {
		return nil //nolint:nilerr // Caddy will say so
	}
	flags := command.Flags()
	value := func(name string) string {
		text, _ := flags.GetString(name) // both have it
		return text
	}
	config := value("config")
	if command.Name() == "reload" && config == "" {
		if _, err := os.Stat("Caddyfile"); err == nil {
			config = "Caddyfile" // as Caddy does
		}
	}
	given := value("address")
	if config == "-" && given == "" {
		return nil // standard input, which Caddy reads
	}
	if given == "" && config != "" {
		configured, err := caddyserver.ConfiguredAdmin(config, value("adapter"))
		switch {
		case errors.Is(err, caddyserver.ErrAdminOff):
			return err // Caddy would ask at its default address, where another gateway may run
		case err != nil:
			return nil //nolint:nilerr // Caddy will say so
		}
		given = configured
	}
	address, err := caddyserver.FindAdmin(given, "", "")
	if err != nil {
		return err
	}
	caddy.DefaultAdminListen = address
	return nil
}
