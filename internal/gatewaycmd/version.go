package gatewaycmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version [--json]",
		Short: "Prints the versions of scopegate, its map, Go and Caddy",
		Long: `
Prints the version of scopegate, the commit that it was built from, and the versions of
the map from operations to scopes, of Go and of Caddy.

The version of the map is the one in audit records, if the configuration names no routes
and no map of its own. A build that was given no version prints devel.

--json prints a JSON object.
`,
		Example: `  scopegate version
  scopegate version --json
  scopegate --version`,
		Args: cobra.NoArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		info := buildinfo.Read()
		if *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(info)
		}
		return printVersion(cmd.OutOrStdout(), info)
	}
	return cmd
}

// printVersion prints a line for each part of a build.
func printVersion(out io.Writer, info buildinfo.Info) error {
	_, err := fmt.Fprintf(out, "scopegate  %s\ncommit     %s\nmap        %s\nGo         %s\nCaddy      %s\n",
		info.Version, cmp.Or(commit(info), "unknown"), info.Map, info.Go, info.Caddy)
	return err
}

// versionLine is a version in one line, for --version.
func versionLine(info buildinfo.Info) string {
	line := fmt.Sprintf("scopegate %s (map %s, %s, Caddy %s", info.Version, info.Map, info.Go, info.Caddy)
	if of := commit(info); of != "" {
		line += ", commit " + of
	}
	return line + ")"
}

// commit is the commit of a build, with what else is known about it.
func commit(info buildinfo.Info) string {
	text := info.Commit
	if text != "" && info.Modified {
		text += " with changes"
	}
	if text != "" && !info.Time.IsZero() {
		text += " of " + info.Time.UTC().Format(time.RFC3339)
	}
	return text
}
