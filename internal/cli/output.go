package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// printLine prints a name and a value in two columns.
func printLine(out io.Writer, name, value string) {
	fmt.Fprintf(out, "%-10s %s\n", name, value)
}

// joinOr joins words, or returns a text instead of none.
func joinOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// errNotConfirmed ends a command that was told not to go on.
var errNotConfirmed = errors.New("nothing was changed")

// confirm asks whether to go on. The end of the input means no.
func confirm(cmd *cobra.Command, question string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(cmd.ErrOrStderr())
	return errNotConfirmed
}
