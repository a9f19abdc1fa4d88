package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// sanitizeOutput makes a command sanitize all that it prints, and its errors. What it
// shows was chosen by others: a workspace, its users, or who typed the arguments.
func sanitizeOutput(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
		defer func() {
			cmd.SetOut(stdout)
			cmd.SetErr(stderr)
		}()
		safeOut, safeErr := sanitize.NewWriter(stdout), sanitize.NewWriter(stderr)
		cmd.SetOut(safeOut)
		cmd.SetErr(safeErr)
		err := run(cmd, args)
		return sanitize.Error(errors.Join(err, safeErr.Flush(), safeOut.Flush()))
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return sanitize.Error(err) })
}

// printLine prints a name and a value in two columns.
func printLine(out io.Writer, name, value string) {
	fmt.Fprintf(out, "%-10s %s\n", name, sanitize.String(value, sanitize.MaxText))
}

// printJSON prints a value as JSON.
func printJSON(out io.Writer, value any, indent string) error {
	document, err := json.MarshalIndent(value, "", indent)
	if indent == "" {
		document, err = json.Marshal(value)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(append(sanitize.JSON(document), '\n'))
	return err
}

// joinOr joins words, or returns a text instead of none.
func joinOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// showNow shows what was printed and is still held back, before the command waits.
func showNow(cmd *cobra.Command) {
	for _, out := range []io.Writer{cmd.OutOrStdout(), cmd.ErrOrStderr()} {
		if held, ok := out.(*sanitize.Writer); ok {
			_ = held.Flush() // another attempt follows when the command ends
		}
	}
}

// errNotConfirmed ends a command that was told not to go on.
var errNotConfirmed = errors.New("nothing was changed")

// confirm asks whether to go on. The end of the input means no.
func confirm(cmd *cobra.Command, question string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	showNow(cmd)
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
