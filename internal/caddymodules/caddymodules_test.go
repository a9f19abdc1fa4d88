package caddymodules

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestLeftOut: a directive that is left out says how to get it.
func TestLeftOut(t *testing.T) {
	for _, directive := range LeftOut {
		t.Run(directive, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(":80 {\n\t"+directive+"\n}\n"), nil)
			if err == nil || !strings.Contains(err.Error(), "without "+directive) || !strings.Contains(err.Error(), ":2") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestDocumented: docs/modules.md lists every module of Caddy, and none that is not there.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "```\n")
	list, _, _ = strings.Cut(list, "```")
	linked := slices.Sorted(slices.Values(caddy.Modules()))
	if want := strings.Join(linked, "\n") + "\n"; list != want {
		t.Errorf("docs/modules.md lists\n%s\nand the gateway has\n%s", list, want)
	}
}

// releaseTags returns the tags that releases are built with. They leave databases out of the
// certificate authority, which keeps its certificates in Caddy's storage.
func releaseTags(t *testing.T) string {
	t.Helper()
	flags, err := os.ReadFile("../../build/release/flags")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(flags)) {
		if tags, ok := strings.CutPrefix(line, "BUILD_TAGS="); ok {
			return strings.TrimSpace(tags)
		}
	}
	t.Fatal("build/release/flags has no BUILD_TAGS")
	return ""
}

// heavy are packages that the gateway must not link, and what brought them when they were last
// seen. Each is several megabytes, or not its business.
var heavy = map[string]string{
	"github.com/alecthomas/chroma":                                 "Caddy's templates",
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver": "modules/standard",
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/templates":  "modules/standard",
	"github.com/caddyserver/caddy/v2/modules/caddypki/acmeserver":  "modules/standard",
	"github.com/caddyserver/caddy/v2/modules/standard":             "an import of Caddy as a whole",
	"github.com/dgraph-io/badger":                                  "a build without the tag nobadger",
	"github.com/go-sql-driver/mysql":                               "a build without the tag nomysql",
	"github.com/jackc/pgx":                                         "a build without the tag nopgx",
	"github.com/redis/rueidis":                                     "its builder has 20,000 functions, which the linker keeps",
	"github.com/yuin/goldmark":                                     "Caddy's templates",
	"github.com/scopegate/scopegate/internal/testing":              "the demo",
	"golang.org/x/net/trace":                                       "a build without the tag grpcnotrace",
	"k8s.io":                                                       "the webhook has its own few types",
	"testing":                                                      "a test double",
	"github.com/databricks/databricks-sdk-go/service":              "more of the SDK than look-ups and administration use",
}

// sdkServices are those that the gateway uses.
var sdkServices = []string{"iam", "settings"}

// TestSlim: no dependency brings a heavy package back.
func TestSlim(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	command := exec.CommandContext(t.Context(), goTool, "list", "-deps", "-tags", releaseTags(t), "github.com/scopegate/scopegate/cmd/scopegate")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 500 {
		t.Fatalf("%d packages are too few to be the gateway", len(packages))
	}
	for _, path := range packages {
		if service, ok := strings.CutPrefix(path, "github.com/databricks/databricks-sdk-go/service/"); ok && slices.Contains(sdkServices, service) {
			continue
		}
		for prefix, from := range heavy {
			if path == prefix || strings.HasPrefix(path, prefix+"/") {
				t.Errorf("the gateway links %s (once brought by: %s); go mod why %s shows who imports it", path, from, path)
			}
		}
	}
}
