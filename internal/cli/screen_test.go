package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// TestOneScreen: help fits a terminal of 24 lines and 88 columns, and names every flag.
func TestOneScreen(t *testing.T) {
	for _, name := range []string{"recommend", "revoke", "replay", "why", "findings", "findings acknowledge", "report", "drift", "fleet", "explain", "verify"} {
		help, err := run(t, unreachable, "", append(strings.Fields(name), "--help")...)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(help, "\n"), "\n")
		if len(lines) > 24 {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > 88 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
		for _, cmd := range Commands(Deps{}) {
			cmd, _, err := cmd.Find(strings.Fields(name)[1:])
			if err != nil || strings.TrimPrefix(cmd.CommandPath(), "scopes ") != name {
				continue
			}
			cmd.Flags().VisitAll(func(flag *pflag.Flag) {
				if !strings.Contains(help, "--"+flag.Name) {
					t.Errorf("%s does not name --%s", name, flag.Name)
				}
				if !strings.Contains(cmd.Long, "--"+flag.Name) {
					t.Errorf("the manual of %s does not explain --%s", name, flag.Name)
				}
			})
		}
	}
}
