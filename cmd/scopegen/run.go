package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

const sdkModule = "github.com/databricks/databricks-sdk-go"

// run generates the catalogue and writes or checks the file out. An empty out
// or sdkDir stands for the place that go.mod implies.
func run(out, sdkDir string, check bool, log io.Writer) error {
	if out == "" {
		dir, err := moduleDir("github.com/scopegate/scopegate")
		if err != nil {
			return err
		}
		out = filepath.Join(dir, "scopes", "catalog.tsv")
	}
	if sdkDir == "" {
		var err error
		if sdkDir, err = findSDK(); err != nil {
			return err
		}
	}
	rows, err := shipped().generate(sdkDir)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := scopes.Format(&text, rows); err != nil {
		return err
	}
	if check {
		return compare(out, text.Bytes())
	}
	if err := os.WriteFile(out, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the catalogue: %w", err)
	}
	_, err = io.WriteString(log, scopes.CoverageOf(rows).String())
	return err
}

// findSDK returns the directory of the SDK version that go.mod asks for.
func findSDK() (string, error) { return moduleDir(sdkModule) }

// moduleDir returns the directory of a module that the main module uses, or of
// the main module itself.
func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("finding the source of %s: %w", module, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("finding the source of %s: run go mod download first", module)
	}
	return dir, nil
}

// compare fails, with the first lines that differ, if the file is not want.
func compare(file string, want []byte) error {
	got, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("checking the catalogue: %w", err)
	}
	if bytes.Equal(got, want) {
		return nil
	}
	var hint strings.Builder
	old, new := lineSet(got), lineSet(want)
	for _, side := range []struct {
		sign        string
		lines, from map[string]bool
		text        []byte
	}{{"-", old, new, got}, {"+", new, old, want}} {
		shown := 0
		for line := range strings.Lines(string(side.text)) {
			if !side.from[line] && shown < 5 {
				fmt.Fprintf(&hint, "\n  %s %s", side.sign, strings.TrimSuffix(line, "\n"))
				shown++
			}
		}
	}
	return fmt.Errorf("checking %s: it is stale; run go generate ./scopes%s", file, hint.String())
}

func lineSet(text []byte) map[string]bool {
	set := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		set[line] = true
	}
	return set
}
