package audit

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

var update = flag.Bool("update", false, "rewrite the table of docs/audit.md")

// TestDocumentation compares the table of docs/audit.md with the fields of records.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../docs/audit.md", "<!-- fields -->\n", "<!-- /fields -->"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s does not have a table of fields", file)
	}
	var table strings.Builder
	table.WriteString("| line | OpenTelemetry | |\n|---|---|---|\n")
	for _, f := range fields {
		where := f.place
		if f.key != "" {
			where = "`" + string(f.key) + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", f.name, where, f.about)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != table.String() {
		t.Errorf("%s: run go test ./internal/audit -run Documentation -update\ngot\n%s\nwant\n%s", file, got, table.String())
	}
}

// TestFieldsAreDistinct: exporters rely on it and do not look for duplicates.
func TestFieldsAreDistinct(t *testing.T) {
	t.Parallel()
	names, keys := make(map[string]bool), make(map[attribute.Key]bool)
	for _, f := range fields {
		if names[f.name] || f.key != "" && keys[f.key] {
			t.Errorf("%s (%s) appears twice", f.name, f.key)
		}
		if (f.key == "") == (f.place == "") || f.about == "" {
			t.Errorf("%s: the place or the description is missing", f.name)
		}
		names[f.name], keys[f.key] = true, true
	}
}
