// Package release tests what releases are made with.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// source returns what a bash script prints that has sourced flags, in the root.
func source(t *testing.T, script string) string {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed: ", err)
	}
	command := exec.Command(bash, "-euc", "source build/release/flags; "+script)
	command.Dir = root
	command.Env = append(os.Environ(), "version=1.2.3")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return string(output)
}

// TestFlagsAreWrittenOnce: whatever builds a release, or says how, uses flags and repeats
// none of them.
func TestFlagsAreWrittenOnce(t *testing.T) {
	for _, name := range []string{
		".goreleaser.yaml", "build/release/generate", "build/release/release",
		"deploy/docker/build", ".ci/full.d/50-release", "docs/releasing.md",
	} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), "build/release/flags") {
			t.Errorf("%s does not take the flags from build/release/flags", name)
		}
		for _, flag := range []string{"nobadger", "grpcnotrace", "-ldflags", "-s -w", "buildinfo.version"} {
			if strings.Contains(string(content), flag) {
				t.Errorf("%s repeats %s; take it from build/release/flags", name, flag)
			}
		}
	}
}

// TestFlags: a build has every flag, and goreleaser puts the same ones together.
func TestFlags(t *testing.T) {
	const (
		tags    = "nobadger,nobbolt,nomysql,nopgx,grpcnotrace"
		ldflags = "-s -w -X github.com/scopegate/scopegate/internal/buildinfo.version="
	)
	want := strings.Join([]string{"-trimpath", "-buildvcs=true", "-tags", tags, "-ldflags", ldflags + "1.2.3"}, "\n") + "\n"
	if got := source(t, `printf '%s\n' "${build_flags[@]}"`); got != want {
		t.Errorf("build_flags are %q, want %q", got, want)
	}
	if got, want := source(t, `printf '%s\n' "$BUILD_TAGS" "$BUILD_LDFLAGS"`), tags+"\n"+ldflags+"\n"; got != want {
		t.Errorf("goreleaser gets %q, want %q", got, want)
	}
	content, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`flags: [-trimpath, -buildvcs=true, '-tags={{ .Env.BUILD_TAGS }}']`,
		`ldflags: ['{{ .Env.BUILD_LDFLAGS }}{{ .Version }}']`,
	} {
		if !strings.Contains(string(content), "    "+line+"\n") {
			t.Errorf(".goreleaser.yaml lacks %s", line)
		}
	}
}

// TestTagsElsewhere: what cannot source flags has the same tags: the command that installs
// with Go.
func TestTagsElsewhere(t *testing.T) {
	line := "go install -tags " + strings.TrimSpace(source(t, `echo "$BUILD_TAGS"`)) + " "
	content, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), line) {
		t.Errorf("README.md lacks %s", line)
	}
}
