package gatewaycmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/didyoumean"
)

// shells are those that completions can be printed for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Prints a script that completes commands, flags and values in a shell",
		Long: `
Prints a script that makes a shell complete the commands of scopegate, their flags, and
the values of flags, such as scope names.

bash needs the package bash-completion. zsh needs compinit: autoload -U compinit; compinit.
PowerShell reads the script from the profile.
`,
		Example: `  scopegate completion bash > /etc/bash_completion.d/scopegate
  scopegate completion zsh > "${fpath[1]}/_scopegate"
  scopegate completion fish > ~/.config/fish/completions/scopegate.fish
  scopegate completion powershell >> $PROFILE`,
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			if len(args) != 1 {
				return fmt.Errorf("completion needs one shell: %s", strings.Join(shells, ", "))
			}
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return fmt.Errorf("unknown shell %q; %s", args[0], didyoumean.Hint(args[0], shells))
		},
	}
}
