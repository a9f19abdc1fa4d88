package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDated: the date changes with the rows, and only with them.
func TestDated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "catalog.tsv")
	day := func(n int) time.Time { return time.Date(2027, 1, n, 23, 0, 0, 0, time.UTC) }
	for _, step := range []struct {
		text string
		on   int
		want string
	}{
		{"# head\nrow\n", 1, "# head\n# Date: 2027-01-01\nrow\n"},
		{"# head\nrow\n", 2, "# head\n# Date: 2027-01-01\nrow\n"},
		{"# head\nother\n", 3, "# head\n# Date: 2027-01-03\nother\n"},
		{"# another head\nother\n", 4, "# another head\n# Date: 2027-01-04\nother\n"},
	} {
		got := dated([]byte(step.text), file, day(step.on))
		if string(got) != step.want {
			t.Errorf("day %d: %q, want %q", step.on, got, step.want)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
