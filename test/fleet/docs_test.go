package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// guide returns docs/fleet.md.
func guide(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestGuideHasACL: the user that the guide tells operators to make is the one that the store
// is tested with.
func TestGuideHasACL(t *testing.T) {
	t.Parallel()
	acl, err := os.ReadFile("../../internal/fleet/store/testdata/acl.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := guide(t)
	lines := 0
	for line := range strings.Lines(string(acl)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("docs/fleet.md lacks the line %q", line)
		}
	}
	if lines == 0 {
		t.Error("there is no line")
	}
}

// TestGuideConfigurations: every configuration of the guide can be pasted.
func TestGuideConfigurations(t *testing.T) {
	t.Parallel()
	const workspace = "workspace prod https://example.cloud.databricks.com"
	blocks := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindAllStringSubmatch(guide(t), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d configurations", len(blocks))
	}
	for i, block := range blocks {
		content := strings.ReplaceAll(block[1], "<name>", "example")
		switch first, _, _ := strings.Cut(content, " "); {
		case strings.HasPrefix(content, "{\n"): // whole
		case first == "fleet":
			content = fmt.Sprintf("{\ndatabricks {\n%s {\n%s}\n}\n}\n:8080 {\ndatabricks_gateway prod\n}\n", workspace, content)
		case first == "databricks_authority":
			content = fmt.Sprintf("{\ndatabricks {\n%s\n}\n}\nhttps://authority.example.com:9443 {\n%s}\n", workspace, content)
		default: // a site
			content = fmt.Sprintf("{\ndatabricks {\n%s\n}\n}\n%s", workspace, content)
		}
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := processtest.Launch(t, "127.0.0.1:1", nil, "scopegate", "adapt", "--config", file, "--adapter", "caddyfile")
		if code := p.Exit(t); code != 0 {
			t.Errorf("configuration %d: %s\n%s", i+1, p.Log, content)
		}
	}
}

// TestGuideBounds: the guide says what the protocol does.
func TestGuideBounds(t *testing.T) {
	t.Parallel()
	text := guide(t)
	for _, bound := range []string{
		fmt.Sprintf("%.0f s: three heartbeats of %.0f s", 3*wire.Heartbeat.Seconds(), wire.Heartbeat.Seconds()),
		fmt.Sprintf("%d ms in all", storeWait.Milliseconds()),
	} {
		if !strings.Contains(text, bound) {
			t.Errorf("docs/fleet.md lacks %q", bound)
		}
	}
}
