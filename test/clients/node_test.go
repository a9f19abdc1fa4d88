package clients_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	chat := Client{Name: "openai (npm)", Scope: "model-serving", Works: "Hello.", Calls: []Call{Stream}, Run: inNode("openai", "")}
	chat.Advice = []Advice{atOnce("openai")}

	aiGateway := chat
	aiGateway.Name, aiGateway.Scope = "openai (npm) on the AI gateway", "ai-gateway"
	aiGateway.Run = inNode("openai", "", "OPENAI_PATH=/ai-gateway/mlflow/v1")

	older := chat
	older.Name, older.Run = "openai 6 (npm)", inNode("openai", "", "OPENAI_PACKAGE=openai-6")
	older.Advice = []Advice{atOnce("openai", "OPENAI_PACKAGE=openai-6")}

	claude := Client{
		Name: "@anthropic-ai/sdk", Scope: "model-serving", Works: "Hello.", Calls: []Call{Stream},
		Run: inNode("anthropic", ""), Advice: []Advice{atOnce("anthropic")},
	}

	sdk := Client{
		Name: "@databricks/sdk-experimental", Scope: "jobs", Works: "2 jobs", Calls: []Call{Upload, Download},
		Run: inNode("databricks-sdk", ""),
	}
	sdk16 := sdk
	sdk16.Name, sdk16.Port443 = "@databricks/sdk-experimental 0.16", true
	sdk16.Run = inNode("databricks-sdk", "", "DATABRICKS_SDK_PACKAGE=@databricks/sdk-experimental-0.16")
	head := Client{
		Name: "@databricks/sdk-experimental, HEAD", Scope: "files", Works: "there", Run: inNode("databricks-sdk", "metadata"),
		Advice: []Advice{{
			Cases: refusals, Do: "call `files.listDirectoryContents`, a GET request that needs the same scope",
			Run:   inNode("databricks-sdk", "advice"),
			Maker: "The error of a response without a body could have the text of `x-databricks-reason-phrase`.",
		}},
	}

	driver := Client{
		Name: "@databricks/sql", Scope: "sql", Works: "1", TLS: true, Run: inNode("databricks-sql", ""),
		Advice: []Advice{{
			Cases: refusals, Do: "print `err.response.headers.get('x-databricks-reason-phrase')`",
			Run:   inNode("databricks-sql", "advice"),
			Maker: "The error could have the text of `x-databricks-reason-phrase`, as that of databricks-sql-go does.",
		}},
	}

	mcp := Client{
		Name: "@modelcontextprotocol/sdk", Scope: "sql", Works: "words", Calls: []Call{Stream}, Run: inNode("mcp", ""),
	}
	fallback := Client{
		Name: "@modelcontextprotocol/sdk, falling back to SSE", Scope: "sql", Works: "words", Run: inNode("mcp", "fallback"),
		Advice: []Advice{{
			Cases: refusals, Do: "print the error of `StreamableHTTPClientTransport`, too",
			Run:   inNode("mcp", "advice"),
			Maker: "`SSEClientTransport` could show the body, as `StreamableHTTPClientTransport` does.",
		}},
	}

	webSocket := Client{
		Name: "ws", Scope: "clusters", Works: "hello", Calls: []Call{Stream, Upload, Download}, Echo: true,
		Run: inNode("ws", ""),
		Advice: []Advice{{
			Cases: refusals, Do: "listen for `unexpected-response` and print the header `x-databricks-reason-phrase`",
			Run:   inNode("ws", "advice"),
			Maker: "The error could have the body of the response.",
		}},
	}

	spark := Client{
		Name: "@grpc/grpc-js", Scope: "clusters", Works: "hello", Calls: []Call{Stream, Upload, Download}, Echo: true,
		Run: inNode("grpc", ""),
	}
	sparkTLS := spark
	sparkTLS.Name, sparkTLS.TLS = "@grpc/grpc-js over TLS", true

	register(
		inPackage("", Client{
			Name: "fetch (Node)", Scope: "jobs", Works: "2 jobs", Calls: []Call{Stream, Upload, Download}, Run: inNode("fetch", ""),
		}),
		inPackage("openai", chat), inPackage("openai", aiGateway), inPackage("openai-6", older),
		inPackage("@anthropic-ai/sdk", claude),
		inPackage("@databricks/sdk-experimental", sdk), inPackage("@databricks/sdk-experimental", head),
		inPackage("@databricks/sdk-experimental-0.16", sdk16),
		inPackage("@databricks/sql", driver),
		inPackage("@modelcontextprotocol/sdk", mcp), inPackage("@modelcontextprotocol/sdk", fallback),
		inPackage("ws", webSocket),
		inPackage("@grpc/grpc-js", spark), inPackage("@grpc/grpc-js", sparkTLS),
	)
}

// inPackage completes a client that needs a package of node/package.json.
func inPackage(name string, client Client) Client {
	version := nodePackages()[name]
	client.Version = version[strings.LastIndexByte(version, '@')+1:] // without the real name of an alias
	client.Find = findNode
	return client
}

// atOnce is what helps with clients that retry as often as Retry-After says.
func atOnce(program string, env ...string) Advice {
	return Advice{
		Cases: []Case{adminOutage}, Do: "`maxRetries: 0`", Run: inNode(program, "", append(env, "MAX_RETRIES=0")...),
		Maker: "It does not say that it retries, twice and as late as `Retry-After` says.",
	}
}

// inNode returns a Client.Run that makes a call by node/<program>.mjs, the suite's if it is
// empty. What the program prints of an error is what a library shows; the exit code is the
// program's own.
func inNode(program, call string, env ...string) func(context.Context, Target, Call) Seen {
	return func(ctx context.Context, at Target, asked Call) Seen {
		env := append([]string{
			"HTTP_PATH=" + warehousePath, "MCP_PATH=" + mcpPath, "WS_PATH=" + driverPath(at),
			"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=" + at.CA, // which grpc-js reads instead of NODE_EXTRA_CA_CERTS
			"LOADING=3",
		}, env...)
		command := at.command(ctx, env, "node", filepath.Join(nodeFolder(), program+".mjs"), cmp.Or(call, string(asked)))
		// The program closes the pipe when it has loaded its package.
		loading, loaded, err := os.Pipe()
		if err != nil {
			return failed(err)
		}
		command.ExtraFiles = []*os.File{loaded}
		at.watch.loading()
		ready := make(chan struct{})
		go func() {
			defer close(ready)
			_, _ = io.Copy(io.Discard, loading)
			at.watch.begin()
		}()
		if err = command.Start(); err == nil {
			_ = loaded.Close()
			err = command.Wait()
		}
		_ = loaded.Close()
		<-ready
		_ = loading.Close()
		seen := finished(command, err)
		seen.Command = false
		return seen
	}
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
