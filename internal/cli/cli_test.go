package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// startWorkspace starts a workspace, and lets commands sign in to it with the SDK's
// environment variables.
func startWorkspace(t *testing.T) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("DATABRICKS_TOKEN", workspace.AdminToken())
	return workspace
}

// answering is a gateway that gives one answer to everything.
func answering(value any) adminapi.Do {
	return func(string, string, string, http.Header, io.Reader) (*http.Response, error) {
		body, err := json.Marshal(value)
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))}, err
	}
}

// unreachable is a gateway that is off.
func unreachable(string, string, string, http.Header, io.Reader) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// testConfig is what a file called good says.
var testConfig = Config{
	Workspaces: []FileWorkspace{{"prod", "https://config.example.com", tokens.Admin{ClientID: "of the configuration"}}},
	Draft:      draftWith(nil),
	Judge:      judgeWith("GET\t/api/2.0/internal/things\tthings\tdocumented\tinternal.Things\tthe owners"),
}

// judgeWith returns what a configuration with a row of its own says.
func judgeWith(row string) func() (*judge.Judge, error) {
	return func() (*judge.Judge, error) {
		rows, err := scopes.Parse(strings.NewReader(row), "routes.tsv")
		if err != nil {
			return nil, err
		}
		catalog, err := scopes.Default().With(rows)
		return &judge.Judge{Catalog: catalog, Rules: policy.Rules{}, Now: time.Now}, err
	}
}

// draftWith returns what a configuration with a policy of its own says, which permits sql only.
func draftWith(change func(*judge.Judge)) func(FileWorkspace) (Draft, error) {
	return func(FileWorkspace) (Draft, error) {
		by := &judge.Judge{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true}, OAuth: judge.OAuthVerify, Now: time.Now}
		if change != nil {
			by.Rules.Policies = []policy.Policy{{Name: "ceiling", Ceiling: []string{"sql"}}}
			change(by)
		}
		return Draft{Judge: by, Handlers: 1, Rules: "0123456789ab"}, nil
	}
}

func loadTestConfig(path, adapter string) (Config, error) {
	switch path {
	case "good":
		return testConfig, nil
	case "optional":
		config := testConfig
		config.Judge = judgeWith("POST\t/api/2.0/internal/beacon\toptional")
		return config, nil
	case "draft", "rehearsed", "observe":
		config := testConfig
		config.Draft = draftWith(func(by *judge.Judge) {
			by.Rules.Policies[0].Observe = path == "rehearsed"
			by.Observe = path == "observe"
		})
		return config, nil
	case "without workspace":
		config := testConfig
		config.Workspaces = []FileWorkspace{{Admin: testConfig.Workspaces[0].Admin}}
		return config, nil
	case "several":
		config := testConfig
		config.Workspaces = append(config.Workspaces[:1:1], FileWorkspace{"dev", "https://dev.example.com", tokens.Admin{ClientID: "of dev"}}, FileWorkspace{URL: "https://third.example.com"})
		return config, nil
	}
	return Config{}, fmt.Errorf("no file %s for adapter %q", path, adapter)
}

// findTestAdmin finds the gateway of a test.
func findTestAdmin(address, _, _ string) (string, error) { return cmp.Or(address, "localhost:9"), nil }

// run runs a command with an input, and returns what it printed.
func run(t *testing.T, gateway adminapi.Do, input string, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: Name}
	root.AddCommand(Commands(Deps{LoadConfig: loadTestConfig, AdminDo: gateway, FindAdmin: findTestAdmin})...)
	var out strings.Builder
	root.SetArgs(args)
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestHelp holds that every command has examples that run as they stand, and says where
// it looks for the gateway.
func TestHelp(t *testing.T) {
	for _, command := range Commands(Deps{}) {
		for line := range strings.Lines(command.Example) {
			if !strings.Contains(line, "scopegate scopes "+command.Name()) || strings.Contains(line, "<") {
				t.Errorf("%s: example %q", command.Name(), line)
			}
		}
		if command.Example == "" {
			t.Errorf("%s has no example", command.Name())
		}
		if command.Flags().Lookup("address") != nil && !strings.Contains(command.Long, "Default: what the file of --config") {
			t.Errorf("%s does not say what --address is by default", command.Name())
		}
	}
}
