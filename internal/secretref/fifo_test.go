package secretref

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFIFO: what is not a file does not hold up who reads it.
func TestFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if problem := Problem("{file." + path + "}"); !strings.Contains(problem, "a FIFO") {
		t.Error(problem)
	}
}
