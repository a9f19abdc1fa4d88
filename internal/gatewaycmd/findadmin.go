package gatewaycmd

import (
	"cmp"
	"fmt"
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
		admin, err := caddyserver.ReadAdmin(config, value("adapter"))
		switch {
		case err != nil:
			return nil //nolint:nilerr // Caddy will say so
		case admin.Disabled:
			// Caddy would ask at its default address, where another gateway may run.
			return fmt.Errorf("%s turns the admin API off, so it does not say which gateway to %s; name it with --address", config, command.Name())
		}
		given = cmp.Or(admin.Listen, caddy.DefaultAdminListen)
	}
	address, err := caddyserver.FindAdmin(given, "", "")
	if err != nil {
		return err
	}
	caddy.DefaultAdminListen = address
	return nil
}
