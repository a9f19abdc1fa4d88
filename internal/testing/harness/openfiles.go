package harness

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// OpenFiles returns how often this process has a file open. It knows only on
// Linux; elsewhere ok is false.
func OpenFiles(t testing.TB, name string) (n int, ok bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0, false
	}
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		t.Fatal(err)
	}
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		// The descriptor of the folder itself is closed by now.
		if target, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && target == name {
			n++
		}
	}
	return n, true
}
