package decisions

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
)

// TestDocsQuoteRefusals: a table in the README or in docs/ lists the reason code and
// message of every refusal.
func TestDocsQuoteRefusals(t *testing.T) {
	root := golden.Root(t)
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range append(files, filepath.Join(root, "README.md")) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(content), "\n")...)
	}
	for _, refusal := range golden.Refusals(t) {
		if refusal.Case != refusal.Reason || refusal.Reason == "malformed_path" {
			continue // the table describes the messages of this reason together
		}
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "|") && strings.Contains(line, "`"+refusal.Reason+"`") && strings.Contains(line, refusal.Prefix())
		}) {
			t.Errorf("no table has `%s` and %q in one row", refusal.Reason, refusal.Prefix())
		}
	}
}
