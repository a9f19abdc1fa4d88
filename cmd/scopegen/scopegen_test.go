package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/scopegate/scopegate/scopes"
)

const catalogFile = "../../scopes/catalog.tsv"

// sdkDir finds the SDK, or skips the test where its source is not at hand.
func sdkDir(t *testing.T) string {
	t.Helper()
	dir, err := findSDK()
	if err != nil {
		t.Skipf("%v", err)
	}
	return dir
}

func TestCatalogIsCurrent(t *testing.T) {
	rows, err := shipped().generate(sdkDir(t))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := scopes.Format(&text, rows); err != nil {
		t.Fatal(err)
	}
	if err := compare(catalogFile, text.Bytes()); err != nil {
		t.Fatal(err)
	}
	// Twice the same, whatever order maps come in.
	again, err := shipped().generate(sdkDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, again); diff != "" {
		t.Errorf("a second run differs: %s", diff)
	}
}

func TestCoverage(t *testing.T) {
	extra, err := scopes.Parse(strings.NewReader(extraTSV), "extra.tsv")
	if err != nil {
		t.Fatal(err)
	}
	beside := make(map[string]bool)
	for _, row := range extra {
		beside[row.Name] = true
	}
	sdk := slices.DeleteFunc(scopes.Default().Operations(), func(o scopes.Operation) bool { return beside[o.Name] })
	c := scopes.CoverageOf(sdk)
	t.Logf("of the SDK:\n%s", c)
	t.Logf("of all:\n%s", scopes.CoverageOf(scopes.Default().Operations()))
	if c.Workspace < 1000 || c.Account < 200 {
		t.Errorf("%d workspace and %d account-level operations: some are missing", c.Workspace, c.Account)
	}
	if part := float64(c.Unknown) / float64(c.Workspace); part > 0.08 {
		t.Errorf("%.1f %% of the workspace operations ask for all-apis for want of knowledge", 100*part)
	}
	if n := c.ByEvidence[scopes.Documented] + c.ByEvidence[scopes.Observed]; n < 280 {
		t.Errorf("only %d operations are documented or observed", n)
	}
}

// TestEvidenceHolds asks the shipped catalogue about every documented and
// observed operation, as a request would.
func TestEvidenceHolds(t *testing.T) {
	witnesses, err := readEvidence(evidenceTSV)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range witnesses {
		path := sample(w.row.Template)
		readings, err := scopes.Default().Read(w.row.Method, path, nil)
		if err != nil {
			t.Errorf("evidence.tsv:%d: %v", w.line, err)
			continue
		}
		op := readings[0].Operation
		if op.Access == scopes.AccountOnly {
			if op.Permits([]string{scopes.AllAPIs}) {
				t.Errorf("evidence.tsv:%d: a token may call the account-level %s", w.line, op.Name)
			}
			continue
		}
		for _, s := range scopes.KnownScopes() {
			want := s == scopes.AllAPIs || slices.Contains(w.row.AnyOf, s)
			if op.Permits([]string{s}) != want {
				t.Errorf("evidence.tsv:%d: %s with %s: permitted %v", w.line, op.Name, s, !want)
			}
		}
		if op.Evidence != scopes.Documented && op.Evidence != scopes.Observed {
			t.Errorf("evidence.tsv:%d: %s is graded %s", w.line, op.Name, op.Evidence)
		}
	}
}

func TestRunChecks(t *testing.T) {
	dir := sdkDir(t)
	file := filepath.Join(t.TempDir(), "catalog.tsv")
	var log bytes.Buffer
	if err := run(file, dir, true, &log); err == nil {
		t.Error("a missing file is current")
	}
	if err := run(file, dir, false, &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "workspace operations") {
		t.Errorf("the summary is %q", &log)
	}
	if err := run(file, dir, true, &log); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stale := bytes.Replace(text, []byte("\tjobs\tdocumented\tjobs.RunNow"), []byte("\tsql\tdocumented\tjobs.RunNow"), 1)
	if err := os.WriteFile(file, stale, 0o644); err != nil {
		t.Fatal(err)
	}
	err = run(file, dir, true, &log)
	if err == nil || !strings.Contains(err.Error(), "go generate ./scopes") || !strings.Contains(err.Error(), "jobs.RunNow") {
		t.Errorf("a stale file: %v", err)
	}
}

func TestGlob(t *testing.T) {
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
