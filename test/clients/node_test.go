package clients_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// refusals are the cases in which the gateway refuses a request.
var refusals = []Case{wrongScope, unknownToken, expiredToken, adminOutage}

func init() {
	register(
		node(Client{Name: "fetch (Node)", Scope: "jobs", Works: "2 jobs", Calls: []Call{Stream, Upload, Download}}, "", "fetch"),

		node(Client{Name: "openai (npm)", Scope: "model-serving", Works: "Hello.", Calls: []Call{Stream}}, "openai", "openai"),
		node(Client{Name: "openai (npm), AI gateway", Scope: "ai-gateway", Works: "Hello.", Calls: []Call{Stream}}, "openai", "openai",
			"OPENAI_PATH=/ai-gateway/mlflow/v1"),
		advised(node(Client{Name: "openai 6 (npm)", Scope: "model-serving", Works: "Hello.", Calls: []Call{Stream}}, "openai-6", "openai",
			"OPENAI_PACKAGE=openai-6"),
			"print `err.headers.get('x-databricks-reason-phrase')`, or update to version 7",
			"Version 6 looks for the message in the member `error` of the body only."),

		node(Client{Name: "@anthropic-ai/sdk", Scope: "model-serving", Works: "Hello.", Calls: []Call{Stream}}, "@anthropic-ai/sdk", "anthropic"),

		node(Client{Name: "@databricks/sdk-experimental", Scope: "jobs", Works: "2 jobs", Calls: []Call{Upload, Download}},
			"@databricks/sdk-experimental", "databricks-sdk"),
		node(Client{Name: "@databricks/sdk-experimental 0.16", Scope: "jobs", Works: "2 jobs", Calls: []Call{Upload, Download}, Port443: true},
			"@databricks/sdk-experimental-0.16", "databricks-sdk", "DATABRICKS_SDK_PACKAGE=@databricks/sdk-experimental-0.16"),
		advised(node(Client{Name: "@databricks/sdk-experimental, HEAD", Scope: "files", Works: "there"},
			"@databricks/sdk-experimental", "databricks-sdk", "LIST=metadata"),
			"call `files.listDirectoryContents` for the folder: a GET request, which needs the same scope",
			"The error of a HEAD request has no message, because it is not taken from the header `x-databricks-reason-phrase`."),

		advised(node(Client{Name: "@databricks/sql", Scope: "sql", Works: "1", TLS: true}, "@databricks/sql", "databricks-sql",
			"HTTP_PATH="+warehousePath),
			"print `err.response.headers.get('x-databricks-reason-phrase')`",
			"The driver's error gives the status only."),

		node(Client{Name: "@modelcontextprotocol/sdk", Scope: "sql", Works: "words", Calls: []Call{Stream}},
			"@modelcontextprotocol/sdk", "mcp", "MCP_PATH="+mcpPath),
		advised(node(Client{Name: "@modelcontextprotocol/sdk, falling back to SSE", Scope: "sql", Works: "words"},
			"@modelcontextprotocol/sdk", "mcp", "MCP_PATH="+mcpPath, "LIST=fallback"),
			"print the first error too, that of `StreamableHTTPClientTransport`",
			"`SSEClientTransport` gives the status only."),

		advised(node(Client{Name: "ws", Scope: "clusters", Works: "hello", Calls: []Call{Stream}}, "ws", "ws"),
			"listen for `unexpected-response` and print the header `x-databricks-reason-phrase`",
			"The error gives the status only."),

		node(Client{Name: "@grpc/grpc-js", Scope: "clusters", Works: "hello", Calls: []Call{Stream}}, "@grpc/grpc-js", "grpc"),
		node(Client{Name: "@grpc/grpc-js, TLS", Scope: "clusters", Works: "hello", Calls: []Call{Stream}, TLS: true}, "@grpc/grpc-js", "grpc"),
	)
}

// node completes a client whose program is node/<script>.mjs, which uses a package.
func node(client Client, pkg, script string, env ...string) Client {
	client.Version = strings.TrimPrefix(nodePackages()[pkg], "npm:"+cmp.Or(aliased[pkg], pkg)+"@")
	client.Find = findNode
	client.Run = func(ctx context.Context, at Target, call Call) Seen { return runNode(ctx, at, script, string(call), env) }
	return client
}

// aliased are packages that are installed under another name than their own.
var aliased = map[string]string{
	"openai-6":                          "openai",
	"@databricks/sdk-experimental-0.16": "@databricks/sdk-experimental",
}

// advised adds what to do where the client hides why it was refused, which its program
// does in the call "advice".
func advised(client Client, do, maker string) Client {
	run := client.Run
	client.Advice = []Advice{{
		Cases: refusals, Do: do, Maker: maker,
		Run: func(ctx context.Context, at Target, _ Call) Seen { return run(ctx, at, "advice") },
	}}
	return client
}

var nodeFolder = sync.OnceValue(func() string {
	folder, err := filepath.Abs("node")
	if err != nil {
		panic(err)
	}
	return folder
})

// runNode makes a call by a program. The text of an error is what a library shows: the
// exit code is the program's own.
func runNode(ctx context.Context, at Target, script, call string, env []string) Seen {
	env = append([]string{
		"WS_PATH=" + driverPath(at),
		"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=" + at.CA, // which grpc-js reads instead of NODE_EXTRA_CA_CERTS
	}, env...)
	seen := at.Command(ctx, env, "node", filepath.Join(nodeFolder(), script+".mjs"), call)
	seen.Command = false
	return seen
}

// nodePackages returns the pinned versions.
var nodePackages = sync.OnceValue(func() map[string]string {
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	readNodeFile("package.json", &manifest)
	return manifest.Dependencies
})

func readNodeFile(name string, into any) {
	content, err := os.ReadFile(filepath.Join(nodeFolder(), name))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		panic(err)
	}
}

// findNode says why Node's clients cannot run here.
func findNode(t *testing.T) string {
	t.Helper()
	return lookForNode()
}

var lookForNode = sync.OnceValue(func() string {
	version, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "node is not installed: install Node.js 20 or later, with npm"
	}
	var major int
	if _, err := fmt.Sscanf(string(version), "v%d.", &major); err != nil || major < 20 {
		return fmt.Sprintf("node is %s: install Node.js 20 or later", strings.TrimSpace(string(version)))
	}
	if *install {
		command := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		command.Dir = nodeFolder()
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Sprintf("npm ci in test/clients/node: %v\n%s", err, output)
		}
	}
	return missingPackages()
})

// missingPackages compares what is pinned with what npm says it has installed.
func missingPackages() string {
	const hint = "; run npm ci in test/clients/node, or the suite with -args -install"
	type lock struct {
		Packages map[string]struct {
			Version string `json:"version"`
		} `json:"packages"`
	}
	var pinned, installed lock
	if _, err := os.Stat(filepath.Join(nodeFolder(), "node_modules", ".package-lock.json")); err != nil {
		return "the npm packages are not installed" + hint
	}
	readNodeFile("package-lock.json", &pinned)
	readNodeFile(filepath.Join("node_modules", ".package-lock.json"), &installed)
	for name := range nodePackages() {
		place := "node_modules/" + name
		if have, want := installed.Packages[place].Version, pinned.Packages[place].Version; have != want {
			return fmt.Sprintf("%s is %s, not %s", name, cmp.Or(have, "not installed"), want) + hint
		}
	}
	return ""
}
