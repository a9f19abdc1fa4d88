package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

const catalogFile = "../../scopes/catalog.tsv"

var findSDKOnce = sync.OnceValues(findSDK)

// sdkDir returns the directory of the SDK, or skips the test without its source.
func sdkDir(t *testing.T) string {
	t.Helper()
	dir, err := findSDKOnce()
	if err != nil {
		t.Skipf("%v", err)
	}
	return dir
}

// generateOnce is shared by the tests because a run takes half a second.
var generateOnce = sync.OnceValues(func() ([]scopes.Operation, error) {
	dir, err := findSDKOnce()
	if err != nil {
		return nil, err
	}
	return shipped().generate(dir)
})

func generated(t *testing.T) []scopes.Operation {
	t.Helper()
	sdkDir(t)
	rows, err := generateOnce()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestCatalogIsCurrent(t *testing.T) {
	t.Parallel()
	if err := output(catalogFile, generated(t), true, io.Discard); err != nil {
		t.Fatal(err)
	}
}

// TestGeneratedHeader checks that the catalog says that it is generated and which
// files to edit.
func TestGeneratedHeader(t *testing.T) {
	t.Parallel()
	// The pattern is the one of "go help generate", with the comment sign of the file.
	if first, _, _ := strings.Cut(generatedHeader, "\n"); !regexp.MustCompile(`^# Code generated .* DO NOT EDIT\.$`).MatchString(first) {
		t.Errorf("the first line is %q", first)
	}
	for line := range strings.Lines(generatedHeader) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("%q is not a comment", line)
		}
	}
	for _, name := range []string{"cmd/scopegen", "rules.tsv", "extra.tsv", "go generate ./scopes"} {
		if !strings.Contains(generatedHeader, name) {
			t.Errorf("the header does not mention %s", name)
		}
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	extra, err := scopes.Parse(strings.NewReader(extraTSV), "extra.tsv")
	if err != nil {
		t.Fatal(err)
	}
	extraNames := make(map[string]bool)
	for _, row := range extra {
		extraNames[row.Name] = true
	}
	sdk := slices.DeleteFunc(scopes.Default().Operations(), func(o scopes.Operation) bool { return extraNames[o.Name] })
	c := scopes.CoverageOf(sdk)
	t.Logf("of the SDK:\n%s", c)
	t.Logf("of all:\n%s", scopes.CoverageOf(scopes.Default().Operations()))
	if c.Workspace < 1000 || c.Account < 200 {
		t.Errorf("%d workspace and %d account-level operations: some are missing", c.Workspace, c.Account)
	}
	if part := float64(c.Unknown) / float64(c.Workspace); part > 0.08 {
		t.Errorf("%.1f %% of the workspace operations need all-apis because nothing better is known", 100*part)
	}
	if n := c.ByEvidence[scopes.Documented] + c.ByEvidence[scopes.Observed]; n < 280 {
		t.Errorf("only %d operations are documented or observed", n)
	}
}

// TestEvidenceHolds looks up every documented and observed operation in the shipped
// catalog, as for a request.
func TestEvidenceHolds(t *testing.T) {
	t.Parallel()
	facts, err := readEvidence(evidenceTSV)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		path := routesfile.Sample(f.row.Template)
		readings, err := scopes.Default().Read(f.row.Method, path, nil)
		if err != nil {
			t.Errorf("evidence.tsv:%d: %v", f.line, err)
			continue
		}
		op := readings[0].Operation
		if op.Access == scopes.AccountOnly {
			if op.Permits([]string{scopes.AllAPIs}) {
				t.Errorf("evidence.tsv:%d: a token may call the account-level %s", f.line, op.Name)
			}
			continue
		}
		for _, s := range scopes.KnownScopes() {
			want := s == scopes.AllAPIs || slices.Contains(f.row.AnyOf, s)
			if op.Permits([]string{s}) != want {
				t.Errorf("evidence.tsv:%d: %s with %s: permitted %v", f.line, op.Name, s, !want)
			}
		}
		if op.Evidence != scopes.Documented && op.Evidence != scopes.Observed {
			t.Errorf("evidence.tsv:%d: the evidence of %s is %s", f.line, op.Name, op.Evidence)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "catalog.tsv")
	var log bytes.Buffer
	if err := compare(file, nil); err == nil || !strings.Contains(err.Error(), "go generate ./scopes") {
		t.Errorf("a missing file: %v", err)
	}
	if err := run(file, sdkDir(t), false, &log); err != nil {
		t.Fatal(err)
	}
	rows := generated(t)
	if !strings.Contains(log.String(), "workspace operations") {
		t.Errorf("the summary is %q", &log)
	}
	if err := output(file, rows, true, &log); err != nil {
		t.Error(err)
	}
	if err := output(file+".missing", rows, true, &log); err == nil {
		t.Error("a missing file is up to date")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The result must not depend on the order of maps.
	again, err := scopes.Parse(bytes.NewReader(text), file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, again, cmpopts.IgnoreUnexported(scopes.Operation{})); diff != "" {
		t.Errorf("a second run differs: %s", diff)
	}
	stale := bytes.Replace(text, []byte("\tjobs\tdocumented\tjobs.RunNow"), []byte("\tsql\tdocumented\tjobs.RunNow"), 1)
	if err := os.WriteFile(file, stale, 0o644); err != nil {
		t.Fatal(err)
	}
	err = output(file, rows, true, &log)
	if err == nil || !strings.Contains(err.Error(), "go generate ./scopes") || !strings.Contains(err.Error(), "jobs.RunNow") {
		t.Errorf("a stale file: %v", err)
	}
}

// TestMapPage holds docs/map.md to the formats it describes.
func TestMapPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/map.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	examples := 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "GET\t") {
			continue
		}
		examples++
		rows, err := scopes.Parse(strings.NewReader(line), "docs/map.md")
		if err != nil {
			t.Error(err)
			continue
		}
		if op, err := scopes.Default().Read(rows[0].Method, rows[0].Template, nil); err != nil || op[0].Operation.Name != rows[0].Name {
			t.Errorf("the example %q is about no operation of the catalog", line)
		}
	}
	if examples == 0 {
		t.Error("the page has no example of a row")
	}
	// What the any_of table shows must be valid, and the paths in it must parse.
	table, _, _ := strings.Cut(page[strings.Index(page, "| any_of | meaning |"):], "\n\n")
	for _, cell := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		if _, err := parseAnyOf(cell[1], "observed", "s"); err != nil {
			t.Errorf("any_of %q: %v", cell[1], err)
		}
	}
	for _, part := range []string{
		"`documented`", "`observed`", "`sibling`", "`inferred`", "`operator`", "`doubtful`", "`unknown`", "`optional`",
		"names.tsv", "rules.tsv", "extra.tsv", "evidence.tsv", "-bump", "-check", "internal/judge/change.go",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not mention %s", part)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"a*", "abc", true}, {"*", "", true}, {"*c", "abc", true}, {"*b", "abc", false},
		{"a*c*e", "abcde", true}, {"a*c*e", "abcd", false}, {"* /x/*", "GET /x/y/z", true}, {"jobs.*", "jobs2.X", false},
	} {
		if got := glob(test.pattern, test.s); got != test.want {
			t.Errorf("glob(%q, %q) = %v", test.pattern, test.s, got)
		}
	}
}
