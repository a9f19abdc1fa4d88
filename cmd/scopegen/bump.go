package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// bump moves a module to another version of the SDK.
type bump struct {
	// root is the directory of the module; modules below it move too.
	root   string
	tables tables
	// env is the environment of the go command; nil is that of this process.
	env []string
	out io.Writer
}

// to moves to a version, which may be a query such as "latest". It works out the new
// catalog and module files first and writes them last, so that nothing has changed if
// it fails.
func (b bump) to(version string) error {
	version, sdkDir, err := b.download(version)
	if err != nil {
		return err
	}
	files, err := b.moduleFiles(version) // first, because an older version has other problems
	if err != nil {
		return err
	}
	rows, err := b.tables.generate(sdkDir)
	if err != nil {
		return explained(err, "go run ./cmd/scopegen -bump "+version) // nothing was written
	}
	file := filepath.Join(b.root, "scopes", "catalog.tsv")
	catalog, err := format(rows, file, time.Now())
	if err != nil {
		return err
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	before, err := scopes.Parse(bytes.NewReader(old), file)
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	if err := replaceAll(append(files, newFile{file, catalog})); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "moved to %s %s\n\n", sdkModule, version)
	if err := printChanges(b.out, before, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.out, "\n%s\n%s", scopes.CoverageOf(rows), afterBump)
	return err
}

// afterBump says what is left to do.
const afterBump = `Review what is new:
  A sibling or inferred row is what a rule in cmd/scopegen/rules.tsv says of a whole group.
  An operation that changes tokens or their owners belongs in internal/judge/change.go.
Then run: go vet ./... && go test ./...
`

// download returns the exact version and the directory of its source.
func (b bump) download(version string) (exact, dir string, err error) {
	out, err := b.golang(b.root, "mod", "download", "-json", sdkModule+"@"+version)
	var got struct{ Version, Dir, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr == nil && got.Error != "" {
		err = errors.New(got.Error)
	}
	if err != nil {
		return "", "", fmt.Errorf("downloading version %q of the SDK: %w; name an exact version, such as v0.182.0", version, err)
	}
	return got.Version, got.Dir, nil
}

// golang runs the go command in dir and returns its standard output.
func (b bump) golang(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, b.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if text := strings.TrimSpace(stderr.String()); err != nil && text != "" {
		err = errors.New(text)
	}
	return out, err
}

// newFile is a file with its new content.
type newFile struct {
	name string
	text []byte
}

// moduleFiles returns go.mod and go.sum of every module that requires the SDK, as they
// are with another version. The go command writes to copies, and the modules stay as
// they are.
func (b bump) moduleFiles(version string) ([]newFile, error) {
	var files []newFile
	err := filepath.WalkDir(b.root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != b.root || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.Name() != "go.mod":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(sdkModule+" ")) {
			return err
		}
		changed, err := b.upgraded(filepath.Dir(name), version)
		files = append(files, changed...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("upgrading the SDK, which only moves forward: %w", err)
	}
	return files, nil
}

// upgraded returns the module files in dir with another version of the SDK.
func (b bump) upgraded(dir, version string) ([]newFile, error) {
	temp, err := os.MkdirTemp("", "scopegen")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }() // what is left is in the temporary folder
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(temp, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	modfile := "-modfile=" + filepath.Join(temp, "go.mod")
	if _, err := b.golang(dir, "get", modfile, sdkModule+"@"+version); err != nil {
		return nil, err
	}
	if _, err := b.golang(dir, "mod", "tidy", modfile); err != nil {
		return nil, err
	}
	var files []newFile
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(temp, name))
		if err != nil {
			return nil, err
		}
		files = append(files, newFile{filepath.Join(dir, name), text})
	}
	return files, nil
}

// replaceAll writes all files, or puts those it has written back.
func replaceAll(files []newFile) error {
	var done []newFile
	for _, f := range files {
		old, err := os.ReadFile(f.name)
		if err == nil {
			done = append(done, newFile{f.name, old})
			err = os.WriteFile(f.name, f.text, 0o644)
		}
		if err == nil {
			continue
		}
		for _, d := range done {
			if restore := os.WriteFile(d.name, d.text, 0o644); restore != nil {
				err = fmt.Errorf("%w; putting it back: %w", err, restore)
			}
		}
		return fmt.Errorf("writing the files: %w", err)
	}
	return nil
}

// printChanges prints what an upgrade changes for requests: added, removed and changed
// operations with what they need.
func printChanges(out io.Writer, before, after []scopes.Operation) error {
	var b strings.Builder
	counts := make(map[string]int)
	for _, c := range scopes.Diff(before, after) {
		sign, row, needs := "~", c.New, ""
		switch {
		case c.Old == nil:
			sign, needs = "+", anyOf(c.New)
		case c.New == nil:
			sign, row, needs = "-", c.Old, anyOf(c.Old)
		default:
			if needs = anyOf(c.Old) + " → " + anyOf(c.New); c.Old.Needs() == c.New.Needs() {
				needs = anyOf(c.New) + ", " + c.Old.Effect.String() + " → " + c.New.Effect.String()
			}
		}
		counts[sign]++
		fmt.Fprintf(&b, "%s %-7s %s\t%s\t%s\t%s\n", sign, row.Method, row.Template, needs, row.Evidence, row.Name)
	}
	fmt.Fprintf(&b, "%d added, %d removed, %d with other scopes\n", counts["+"], counts["-"], counts["~"])
	_, err := io.WriteString(out, b.String())
	return err
}

// anyOf returns the any_of column of a row.
func anyOf(row *scopes.Operation) string {
	var line strings.Builder
	if err := scopes.Format(&line, []scopes.Operation{*row}); err != nil {
		return err.Error()
	}
	cols := strings.Split(lastLine(line.String()), "\t")
	return cols[2]
}

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}
