package decision

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestDocs runs the two minutes of docs/proxies.md: its Caddyfile answers, and each command
// prints the lines below it, in their order.
func TestDocs(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("skipped: there is no curl; install it with apt-get install curl")
	}
	page, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## Two minutes\n")
	text, _, _ = strings.Cut(text, "\n## ")
	_, sites, _ := strings.Cut(regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindStringSubmatch(text)[1], "\n}\n")

	w := harness.StartWorkspace(t)
	g := harness.NewGateway(t, w)
	g.Global = "databricks {\nworkspace prod " + w.URL() + " {\n" + harness.AdminBlock + "}\n}"
	envoy := harness.FreeAddress(t)
	sites = substitute(t, sites, "http://:9081", "http://"+envoy, "127.0.0.1:9191", processtest.FreeAddress(t))
	_, sites, found := strings.Cut(sites, "http://:9080 {\n") // the harness begins this site, and ends the last one
	if !found {
		t.Fatal("there is no site of port 9080")
	}
	g.Load(t, strings.TrimSuffix(strings.TrimSpace(sites), "}"))

	typed := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for _, step := range strings.Split(block[1], "$ ")[1:] {
			typed++
			command, shown, _ := strings.Cut(step, "\n")
			t.Run(command, func(t *testing.T) {
				run := exec.Command("sh", "-c", strings.NewReplacer("127.0.0.1:9080", g.Listen, "127.0.0.1:9081", envoy).Replace(command))
				run.Env = append(os.Environ(), "TOKEN="+g.Mint("files").Value, "no_proxy=*")
				printed, err := run.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, printed)
				}
				pattern := "(?s)"
				for line := range strings.Lines(shown) {
					quoted := regexp.QuoteMeta(strings.TrimSpace(line))
					pattern += "\n" + strings.ReplaceAll(quoted, "…", "[^\n]*") + "\r?\n.*"
				}
				if !regexp.MustCompile(pattern).MatchString("\n" + strings.ReplaceAll(string(printed), "\n", "\n\n") + "\n") {
					t.Errorf("printed\n%s\nand the page says\n%s", printed, shown)
				}
			})
		}
	}
	if typed < 8 {
		t.Errorf("found %d commands", typed)
	}
}
