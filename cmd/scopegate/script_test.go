package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// TestMain makes this test binary serve as the command scopegate, for the scripts
// and for the tests that start a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": main})
}

// TestScripts runs testdata/script/*.txtar. Each is a session with the command:
// what is typed, what comes back, and the files that it needs.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"gateway": startDriftGateway, "fleetgateway": startFleetGateway, "workspace": workspaceCommand,
			"mint": mintCommand, "people": peopleCommand, "holds": holdsCommand, "becomes": becomesCommand, "fault": faultCommand, "call": callCommand, "legacy": legacyCommand,
			"sidecar": func(ts *testscript.TestScript, neg bool, args []string) {
				sidecarCommand(ts, neg, args, processtest.FreeAddress(t), processtest.FreeAddress(t))
			},
		},
		Setup: func(env *testscript.Env) error {
			env.Values[scriptKey{}] = new(scriptWorkspace)
			// A home directory without a Databricks configuration. Scripts start without
			// the SDK's variables and set what they need.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			env.Setenv("XDG_DATA_HOME", env.WorkDir)
			return nil
		},
	})
}

// workspaceCommand starts a workspace for a script, and signs the script in to it:
//
//	workspace [supported=<name>,…] [tokens=<name>,…]
//
// The arguments are its scope names, as its OAuth server and token-scopes list them;
// "none" makes the workspace fail to answer.
func workspaceCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("workspace cannot fail")
	}
	lists := make(map[string][]string)
	for _, arg := range args {
		name, list, _ := strings.Cut(arg, "=")
		lists[name] = strings.Split(list, ",")
	}
	workspace := fakeworkspace.New(fakeworkspace.WithScopeNames(lists["supported"], lists["tokens"]))
	ts.Check(workspace.Start())
	ts.Defer(workspace.Close)
	for name, path := range map[string]string{"supported": "/oidc/.well-known/oauth-authorization-server", "tokens": "/api/2.0/token-scopes"} {
		if slices.Equal(lists[name], []string{"none"}) {
			workspace.Handle("GET "+path, http.NotFoundHandler())
		}
	}
	holderOf(ts).Workspace = workspace
	ts.Setenv("DATABRICKS_HOST", workspace.URL())
	ts.Setenv("DATABRICKS_TOKEN", workspace.AdminToken())
}

// startDriftGateway is the command gateway of scripts. It starts the admin API of a gateway
// with the shipped map that learned what a file says, in the form of GET
// /databricks_scopes/drift, and sets $GATEWAY to its address.
func startDriftGateway(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gateway <file>")
	}
	var drift usage.Drift
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &drift))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/catalog") {
			_ = scopes.Format(w, scopes.Default().Operations())
			return
		}
		answer := drift
		if r.FormValue("all") == "" {
			answer = drift.Open()
		}
		write := map[string]func(*usage.Drift, io.Writer) error{"csv": (*usage.Drift).WriteCSV, "table": (*usage.Drift).WriteTable}[r.FormValue("format")]
		if write == nil {
			write = (*usage.Drift).WriteJSON
		}
		_ = write(&answer, w)
	}))
	ts.Defer(server.Close)
	ts.Setenv("GATEWAY", server.Listener.Addr().String())
}

// startFleetGateway is the command fleetgateway of scripts. It starts the admin API of a
// gateway whose fleet is as a file says, in the form of GET /databricks_scopes/fleet, and sets
// $GATEWAY to its address.
func startFleetGateway(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fleetgateway <file>")
	}
	content := ts.ReadFile(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/databricks_scopes/fleet" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, content)
	}))
	ts.Defer(server.Close)
	ts.Setenv("GATEWAY", server.Listener.Addr().String())
}

// TestNoTestDoubles keeps the fake workspace, which mints tokens for anyone, out of
// the gateway.
func TestNoTestDoubles(t *testing.T) {
	t.Parallel()
	output, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(output))
	if len(packages) < 100 {
		t.Fatalf("go list names only %d packages", len(packages))
	}
	for _, name := range packages {
		if strings.Contains(name, "scopegate/internal/testing") {
			t.Errorf("the gateway contains %s", name)
		}
	}
}
