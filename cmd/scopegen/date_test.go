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
		{"# another head\nmore\n", 3, "# another head\n# Date: 2027-01-04\nmore\n"}, // by a clock that is late
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

// TestWrongDate: what is no day up to today is replaced, so that -check fails.
func TestWrongDate(t *testing.T) {
	t.Parallel()
	today := time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ file, want string }{
		{"# head\n# Date: 2027-01-05\nrow\n", "2027-01-05"},
		{"# head\n# Date: 2027-01-06\nrow\n", "2027-01-06"}, // by a clock that is ahead
		{"# head\n# Date: 2027-01-07\nrow\n", "2027-01-05"},
		{"# head\n# Date: 2999-01-01\nrow\n", "2027-01-05"},
		{"# head\n# Date: soon\nrow\n", "2027-01-05"},
		{"# head\n# Date: \nrow\n", "2027-01-05"},
		{"# head\n# Date: 2026-02-30\nrow\n", "2027-01-05"},
		{"# head\n# Date: 2027-01-04 \nrow\n", "2027-01-05"},
		{"# head\nrow\n", "2027-01-05"},
		{"# head\nrow\n# Date: 2027-01-04\n", "2027-01-05"},
		{"# head\n2027-01-04\nrow\n", "2027-01-05"},
		{"", "2027-01-05"},
	} {
		file := filepath.Join(t.TempDir(), "catalog.tsv")
		if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "# head\n# Date: " + test.want + "\nrow\n"
		if got := dated([]byte("# head\nrow\n"), file, today); string(got) != want {
			t.Errorf("%q: %q, want %q", test.file, got, want)
		}
		if err := compare(file, []byte(want)); (err == nil) != (test.file == want) {
			t.Errorf("%q: %v", test.file, err)
		}
	}
}
