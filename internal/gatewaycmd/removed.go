package gatewaycmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

// removed are Caddy's commands that make no sense in scopegate, and what to do instead.
// They are not listed, and fail.
var removed = map[string]string{
	"upgrade":        "it would replace scopegate by a Caddy without it; install a newer scopegate as you installed this one, see https://github.com/scopegate/scopegate",
	"add-package":    "it would replace scopegate by a Caddy without it; build Caddy with scopegate and other modules: xcaddy build --with github.com/scopegate/scopegate --with <module>",
	"remove-package": "it would replace scopegate by a Caddy without it; build Caddy with the modules that you want: xcaddy build --with github.com/scopegate/scopegate",
	"reverse-proxy":  "it would forward requests without judging them; run scopegate sidecar --workspace <url>, or scopegate run --config Caddyfile",
	"respond":        "scopegate answers for a workspace only; for fixed responses, use respond in a Caddyfile and scopegate run --config Caddyfile",
	"build-info":     "run scopegate version; go version -m <file of the program> lists the modules that it was built from",
}

// removedCommand fails whatever it is given, and says what to do instead.
func removedCommand(name, instead string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Hidden:             true,
		Short:              "Is not available in scopegate",
		Long:               fmt.Sprintf("\n%s is a command of Caddy that scopegate does not have:\n%s.\n", name, instead),
		Example:            "  scopegate --help",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("scopegate has no command %s: %s", name, instead)
		},
	}
}
