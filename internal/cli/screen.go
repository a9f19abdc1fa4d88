package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// oneScreen makes the help of a command a text that fits one screen. What [cobra.Command.Long]
// says more is in its manual page.
func oneScreen(cmd *cobra.Command, text string) {
	text = strings.TrimLeft(text, "\n")
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), text) })
}
