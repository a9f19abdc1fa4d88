// Package golden reads the tables in the module's testdata folder, which tests of
// several packages share. It imports only the standard library.
package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// read returns a file in the module's testdata folder.
func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(Root(t), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Root returns the folder that holds go.mod. Tests run in the folder of their
// package.
func Root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("no go.mod above the folder of this test")
		}
		folder = parent
	}
}
