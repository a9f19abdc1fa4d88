package gatewaycmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

func manpageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manpage --directory <path>",
		Short: "Writes the manual pages of scopegate and its commands",
		Long: `
Writes a manual page for scopegate and one for each of its commands, in section 8 (system
administration), such as scopegate-sidecar.8.

--directory is where to write them. It is created if there is none.

The pages carry the date in SOURCE_DATE_EPOCH or, without it, of the commit that scopegate
was built from, so that the same scopegate writes the same pages.
`,
		Example: `  scopegate manpage --directory man8
  man -l man8/scopegate.8`,
		Args: cobra.NoArgs,
	}
	directory := cmd.Flags().StringP("directory", "o", "", "where to write the pages (required)")
	if err := cmd.MarkFlagDirname("directory"); err != nil {
		panic(err) // the flag was just added
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *directory == "" {
			return errors.New("manpage needs a directory to write to, such as --directory man8")
		}
		if err := os.MkdirAll(*directory, 0o755); err != nil { //nolint:gosec // manual pages are for everyone
			return fmt.Errorf("creating the directory of the manual pages: %w", err)
		}
		info := buildinfo.Read()
		header := doc.GenManHeader{Section: "8", Source: "scopegate " + info.Version, Manual: "scopegate"}
		if !info.Time.IsZero() && os.Getenv("SOURCE_DATE_EPOCH") == "" {
			header.Date = &info.Time
		}
		if err := doc.GenManTree(asManual(cmd.Root()), &header, *directory); err != nil {
			return fmt.Errorf("writing the manual pages: %w", err)
		}
		return nil
	}
	return cmd
}

// markdown is what the pages are made from. It would take <url> for a tag and * for emphasis.
var markdown = strings.NewReplacer(`\`, `\\`, "<", `\<`, ">", `\>`, "*", `\*`, "_", `\_`, "`", "\\`")

// asManual prepares a tree of commands for the generator of manual pages, and returns it.
func asManual(cmd *cobra.Command) *cobra.Command {
	cmd.DisableAutoGenTag = true // names another program
	name, usage, _ := strings.Cut(cmd.Use, " ")
	cmd.Use = strings.TrimSpace(name + " " + markdown.Replace(usage))
	cmd.Short, cmd.Long = markdown.Replace(cmd.Short), paragraphs(cmd.Long)
	for _, child := range cmd.Commands() {
		asManual(child)
	}
	return cmd
}

// paragraphs returns a help text as Markdown that keeps its lists of flags apart.
func paragraphs(text string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		switch {
		case strings.HasPrefix(line, "--"):
			out.WriteByte('\n')
		case strings.HasPrefix(line, "    "), strings.HasPrefix(line, "\t"): // code stays as it is
			out.WriteString(line)
			continue
		}
		out.WriteString(markdown.Replace(strings.TrimPrefix(line, "  ")))
	}
	return out.String()
}
