package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// need returns the path of a program of systemd. The test is skipped where there is none,
// unless the slow lane has installed it.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("SCOPEGATE_NEED_SYSTEMD") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	return path
}

// TestVerify: systemd finds nothing wrong with the units.
func TestVerify(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	folder := t.TempDir()
	binary, err := os.Executable() // verify looks whether the commands are there
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scopegate.service", "scopegate.socket"} {
		content := strings.ReplaceAll(readFile(t, name), "/usr/bin/scopegate ", binary+" ")
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(analyze, "verify", "--man=false", "--recursive-errors=no", filepath.Join(folder, "scopegate.service"), filepath.Join(folder, "scopegate.socket"))
	if output, err := command.CombinedOutput(); err != nil || strings.Contains(string(output), folder) {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestExposure: the unit gives no more rights than 1.5 of 10.
func TestExposure(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	output, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", "./scopegate.service").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestUserAndFolders: the files make the user and the folders of the unit.
func TestUserAndFolders(t *testing.T) {
	sysusers, tmpfiles := need(t, "systemd-sysusers"), need(t, "systemd-tmpfiles")
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to another user")
	}
	root := t.TempDir()
	for _, folder := range []string{"etc", "var/lib", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []*exec.Cmd{
		exec.Command(sysusers, "--root="+root, "-"),
		exec.Command(tmpfiles, "--root="+root, "--create", "-"),
	} {
		input := "sysusers.d/scopegate.conf"
		if command.Path == tmpfiles {
			input = "tmpfiles.d/scopegate.conf"
		}
		command.Stdin = strings.NewReader(readFile(t, input))
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command.Args, err, output)
		}
	}
	user := ""
	for line := range strings.Lines(readFile(t, filepath.Join(root, "etc/passwd"))) {
		if strings.HasPrefix(line, "scopegate:") {
			user = strings.TrimSpace(line)
		}
	}
	fields := strings.Split(user, ":")
	if len(fields) != 7 || fields[2] == "0" || fields[5] != "/var/lib/scopegate" || fields[6] != "/usr/sbin/nologin" {
		t.Errorf("the user is %q", user)
	}
	for folder, mode := range map[string]os.FileMode{
		"etc/scopegate": 0o755, "etc/scopegate/credentials": 0o700, "var/lib/scopegate": 0o700, "var/log/scopegate": 0o750,
	} {
		info, err := os.Stat(filepath.Join(root, folder))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", folder, info, err)
		}
	}
}
