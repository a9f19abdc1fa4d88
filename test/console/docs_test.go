package console

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestGuide: every site of the guide can be pasted into a Caddyfile.
func TestGuide(t *testing.T) {
	content, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d sites", len(blocks))
	}
	for _, block := range blocks {
		site := strings.ReplaceAll(block[1], "<hash>", "$2b$04$PbXT1fCHB5kl4JSH7kia9egMbMrXn2xDn9pLk1g6WzLIyfQmVhgQG")
		if adapted, err := harness.Adapt(site); err != nil || !strings.Contains(string(adapted), `"databricks_console"`) {
			t.Errorf("%v\n%s", err, site)
		}
	}
}
