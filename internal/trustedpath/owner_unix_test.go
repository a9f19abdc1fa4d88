//go:build unix

package trustedpath

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpen: systems with a group for each user let it write to what the user makes.
func TestOpen(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name        string
		user, group int
		mode        os.FileMode
		want        bool
	}{
		{"private", 54321, 54321, 0o600, false},
		{"the user's own group", 54321, 54321, 0o660, false},
		{"another group", 54321, 54322, 0o660, true},
		{"the group of root", 0, 0, 0o660, true},
		{"everybody", 54321, 54321, 0o602, true},
		{"readable", 54321, 54322, 0o644, false},
	} {
		if err := os.Chown(file, tt.user, tt.group); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := open(info); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
