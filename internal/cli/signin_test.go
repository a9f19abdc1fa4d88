package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestSignIn says which workspace and credential a command uses.
func TestSignIn(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.WriteFile(filepath.Join(home, ".databrickscfg"), []byte("[p]\nhost = https://profile.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, args, given, environment string
		workspace, client, profile     string
		problem                        string
	}{
		{name: "flag", args: "--workspace flag.example.com", given: "https://given.example.com", environment: "env.example.com", workspace: "https://flag.example.com"},
		{name: "flag before file", args: "--workspace flag.example.com --config good", workspace: "https://flag.example.com", client: "of the configuration"},
		{name: "file", args: "--config good", given: "https://given.example.com", environment: "env.example.com", workspace: "https://config.example.com", client: "of the configuration"},
		{name: "file without a workspace", args: "-c without\u00a0workspace", environment: "env.example.com", workspace: "https://env.example.com", client: "of the configuration"},
		{name: "given", given: "https://given.example.com", environment: "env.example.com", workspace: "https://given.example.com"},
		{name: "environment", environment: "env.example.com", workspace: "https://env.example.com"},
		{name: "environment before profile", args: "--profile p", environment: "env.example.com", workspace: "https://env.example.com", profile: "p"},
		{name: "profile", args: "--profile p", workspace: "https://profile.example.com", profile: "p"},
		{name: "nothing", problem: "no workspace is set; pass --workspace https://"},
		{name: "unknown file", args: "--config bad", problem: "no file bad"},
		{name: "not a workspace", args: "--workspace https://flag.example.com/api", problem: "has a path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DATABRICKS_HOST", test.environment)
			cmd := new(cobra.Command)
			flags := addSignInFlags(cmd)
			var args []string
			for _, arg := range strings.Split(test.args, " ") {
				args = append(args, strings.ReplaceAll(arg, "\u00a0", " "))
			}
			if err := cmd.ParseFlags(args); err != nil {
				t.Fatal(err)
			}
			workspace, admin, err := flags.resolve(Deps{LoadConfig: loadTestConfig}, test.given)
			switch {
			case test.problem != "":
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, want %q", err, test.problem)
				}
			case err != nil || workspace != test.workspace || admin.ClientID != test.client || admin.Profile != test.profile:
				t.Errorf("got %s, %+v, %v", workspace, admin, err)
			}
		})
	}
	if out, err := run(t, unreachable, "", "verify", "--profile", "p", "--config", "good"); err == nil {
		t.Errorf("profile and config: %s", out)
	}
}
