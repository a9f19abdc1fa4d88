package harness

import (
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Command runs a command of the gateway, such as "scopes explain GET /", with input
// on stdin, and returns what it printed.
func Command(t testing.TB, input, name string, args ...string) (string, error) {
	t.Helper()
	registered, ok := caddycmd.Commands()[name]
	if !ok || registered.CobraFunc == nil {
		t.Fatalf("no command %s", name)
	}
	command := &cobra.Command{Use: name}
	registered.CobraFunc(command)
	var out strings.Builder
	command.SetArgs(args)
	command.SetIn(strings.NewReader(input))
	command.SetOut(&out)
	command.SetErr(&out)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}
