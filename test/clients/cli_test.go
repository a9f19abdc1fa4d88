package clients_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// cliVersion is the Databricks CLI whose users' view docs/clients.md has.
const cliVersion = "1.14.0-dev"

// What makers of clients could do.
const (
	retries  = "It could say that it retries."
	bodiless = "The error of a response without a body could have the text of `X-Databricks-Reason-Phrase`."
)

func init() {
	type arguments func(at Target) []string
	always := func(args ...string) arguments { return func(Target) []string { return args } }
	add := func(client Client, list, download arguments) {
		client.Name, client.Version, client.Find = "Databricks CLI: "+client.Name, cliVersion, findCLI
		args := func(at Target, call Call) []string {
			if call == Download {
				return download(at)
			}
			return list(at)
		}
		client.Run = func(ctx context.Context, at Target, call Call) Seen {
			return cli(ctx, at, nil, args(at, call)...)
		}
		if client.Advice == nil {
			client.Advice = []Advice{{
				Cases: []Case{adminOutage},
				Do:    "`retry_timeout_seconds = 5` in the profile",
				Run: func(ctx context.Context, at Target, call Call) Seen {
					return cliWithProfile(ctx, at, args(at, call)...)
				},
				Maker: retries,
			}}
		}
		register(client)
	}
	add(Client{Name: "jobs list", Scope: "jobs", Works: "nightly-etl"}, always("jobs", "list"), nil)
	add(Client{Name: "api get", Scope: "jobs", Works: "nightly-etl"}, always("api", "get", "/api/2.2/jobs/list"), nil)
	add(Client{Name: "serving-endpoints query", Scope: "model-serving", Works: "Hello."},
		always("serving-endpoints", "query", "chat", "--json", `{"messages":[{"role":"user","content":"Hi"}]}`), nil)
	add(Client{Name: "auth describe", Works: "Authenticated with: pat"}, always("auth", "describe"), nil)
	// It begins with a HEAD request, whose answer has no body.
	add(Client{Name: "fs cp", Scope: "files", Calls: []Call{Upload, Download}, Advice: []Advice{{
		Cases: []Case{wrongScope, unknownToken, expiredToken},
		Do:    "`databricks fs ls` of the same folder, which needs the same scope",
		Run: func(ctx context.Context, at Target, _ Call) Seen {
			return cli(ctx, at, nil, "fs", "ls", "dbfs:"+path.Dir(at.Remote))
		},
		Maker: bodiless,
	}, {
		Cases: []Case{adminOutage},
		Do:    "`databricks fs ls` of the same folder, with `retry_timeout_seconds = 5` in the profile",
		Run: func(ctx context.Context, at Target, _ Call) Seen {
			return cliWithProfile(ctx, at, "fs", "ls", "dbfs:"+path.Dir(at.Remote))
		},
		Maker: bodiless,
	}}}, func(at Target) []string { return []string{"fs", "cp", at.Local, "dbfs:" + at.Remote} },
		func(at Target) []string { return []string{"fs", "cp", "dbfs:" + at.Remote, at.Local} })
}

// cliWithProfile runs the CLI with a profile that makes it give up early.
func cliWithProfile(ctx context.Context, at Target, args ...string) Seen {
	profile := fmt.Sprintf("[DEFAULT]\nhost = %s\ntoken = %s\nretry_timeout_seconds = 5\n", at.URL, at.Token)
	if err := os.WriteFile(filepath.Join(at.Folder, "databrickscfg"), []byte(profile), 0o600); err != nil {
		return failed(err)
	}
	return cli(ctx, at, []string{"DATABRICKS_HOST=", "DATABRICKS_TOKEN="}, args...)
}

func cli(ctx context.Context, at Target, env []string, args ...string) Seen {
	program, _ := cliProgram()
	return at.Command(ctx, env, program, args...)
}

// cliProgram looks for the CLI in this order: $DATABRICKS_CLI, a checkout at
// $DATABRICKS_CLI_SOURCE, which it builds, and the path.
var cliProgram = sync.OnceValues(func() (program string, err error) {
	if program = os.Getenv("DATABRICKS_CLI"); program != "" {
		return program, nil
	}
	if source := os.Getenv("DATABRICKS_CLI_SOURCE"); source != "" {
		program = filepath.Join(source, "databricks")
		output, err := exec.Command("go", "build", "-C", source, "-o", program, ".").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("building the Databricks CLI in %s: %w\n%s", source, err, output)
		}
		return program, nil
	}
	return exec.LookPath("databricks")
})

func findCLI(t *testing.T) string {
	program, err := cliProgram()
	if err != nil {
		return fmt.Sprintf("there is no Databricks CLI here (%v): install it as docs.databricks.com/dev-tools/cli says, "+
			"or name it in DATABRICKS_CLI, or a checkout of github.com/databricks/cli in DATABRICKS_CLI_SOURCE", err)
	}
	version, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(version), cliVersion) {
		t.Logf("%s is not version %s: %s (%v)", program, cliVersion, version, err)
	}
	return ""
}
