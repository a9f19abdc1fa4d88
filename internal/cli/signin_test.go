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
		{name: "flag and file", args: "--workspace config.example.com --config good", workspace: "https://config.example.com", client: "of the configuration"},
		{name: "name in the file", args: "--workspace prod --config good", workspace: "https://config.example.com", client: "of the configuration"},
		{name: "flag against the file", args: "--workspace flag.example.com --config good", problem: "the configuration file has no workspace flag.example.com; pass --workspace with one of its own: prod (https://config.example.com)"},
		{name: "second of several", args: "--workspace https://dev.example.com/ --config several", workspace: "https://dev.example.com", client: "of dev"},
		{name: "second of several by its name", args: "--workspace dev --config several", workspace: "https://dev.example.com", client: "of dev"},
		{name: "third of several, without a name", args: "--workspace third.example.com --config several", workspace: "https://third.example.com"},
		{name: "given is one of several", args: "--config several", given: "https://dev.example.com", workspace: "https://dev.example.com", client: "of dev"},
		{name: "one of several", args: "--config several", environment: "dev.example.com", problem: "the configuration file has several workspaces; pass --workspace with one of them: prod (https://config.example.com), dev (https://dev.example.com), https://third.example.com"},
		{name: "unknown name", args: "--workspace prd --config several", problem: "the configuration file has no workspace prd; pass --workspace with one of its own: prod (https://config.example.com), dev"},
		{name: "flag for a file without a workspace", args: "--workspace flag.example.com -c without\u00a0workspace", workspace: "https://flag.example.com", client: "of the configuration"},
		{name: "name for a file without a workspace", args: "--workspace prod -c without\u00a0workspace", problem: "the configuration file has no workspace prod"},
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

// TestNoCredentialForOthers: a credential of the environment does not go to a host that
// whatever listens at the gateway's address names.
func TestNoCredentialForOthers(t *testing.T) {
	workspace, other := startWorkspace(t), startWorkspace(t)
	for _, test := range []struct {
		name, host, args string
		signsIn          bool
	}{
		{"the same host", workspace.URL(), "", true},
		{"the same host, spelled otherwise", workspace.URL() + "/", "", true},
		{"another host", other.URL(), "", false},
		{"another host, and the flag", other.URL(), "--workspace " + workspace.URL(), true},
		{"no host", "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DATABRICKS_HOST", test.host)
			t.Setenv("DATABRICKS_TOKEN", workspace.AdminToken())
			cmd := new(cobra.Command)
			flags := addSignInFlags(cmd)
			if err := cmd.ParseFlags(strings.Fields(test.args)); err != nil {
				t.Fatal(err)
			}
			changer, err := flags.changer(Deps{}, workspace.URL())
			if changer != nil {
				changer.Close()
			}
			if (err == nil) != test.signsIn || err != nil && !strings.Contains(err.Error(), "DATABRICKS_HOST names") {
				t.Error(err)
			}
		})
	}
}
