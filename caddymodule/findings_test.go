package caddymodule

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSyntaxOfFindings holds that the options which the parser knows are those of the syntax
// in docs/findings.md and in the comment of what reads them.
func TestSyntaxOfFindings(t *testing.T) {
	t.Parallel()
	want := map[string][]string{"findings": names(new(Findings).options(nil))}
	for file, indent := range map[string]string{"../docs/findings.md": "", "findings.go": "//\t"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, syntaxOf(t, string(content), indent, "findings [off] {")); diff != "" {
			t.Errorf("%s (-parser +syntax):\n%s", file, diff)
		}
	}
}
