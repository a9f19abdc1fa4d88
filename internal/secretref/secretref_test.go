package secretref

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProblem(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("SCOPEGATE_TEST", "hush")
	t.Setenv("SCOPEGATE_EMPTY", " ")
	for text, want := range map[string]string{ // empty for no problem
		"{env.SCOPEGATE_TEST}":                   "",
		"{file." + write("full", "hush\n") + "}": "",
		"literal":                                "",
		"{env.SCOPEGATE_TEST}x":                  "",
		"{env.SCOPEGATE_NOT_SET}":                "SCOPEGATE_NOT_SET is not set",
		"{env.SCOPEGATE_EMPTY}":                  "SCOPEGATE_EMPTY is empty",
		"{file." + folder + "/none}":             "no such file",
		"{file." + write("empty", "\n") + "}":    "is empty",
		"{file." + folder + "}":                  "a directory",
	} {
		if got := Problem(text); !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "hush") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if !IsOne("{env.A}") || IsOne("{env.A}{env.B}") || IsOne("dose123") || IsOne("{$A}") {
		t.Error("IsOne")
	}
}
