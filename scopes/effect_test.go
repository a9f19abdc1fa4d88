package scopes

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// effectRows parses rows of method, path, scopes and access, separated by spaces.
func effectRows(t *testing.T, rows ...string) []Operation {
	t.Helper()
	var text strings.Builder
	for _, row := range rows {
		cols := append(strings.Fields(row), "")
		text.WriteString(strings.Join([]string{cols[0], cols[1], cols[2], "documented", "x." + cols[1], "s", cols[3]}, "\t") + "\n")
	}
	parsed, err := Parse(strings.NewReader(text.String()), "rows")
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestEveryRowIsClassed: nobody has to guess what a row of the catalog does. What is not
// GET or HEAD and yet reads stands in a file of its own, for review.
func TestEveryRowIsClassed(t *testing.T) {
	t.Parallel()
	var exceptions bytes.Buffer
	for _, row := range Default().Operations() {
		byMethod := Write
		if row.Method == "GET" || row.Method == "HEAD" {
			byMethod = Read
		}
		switch {
		case row.Effect == Unclassed:
			t.Errorf("%s %s is not classed; run: go generate ./scopes", row.Method, row.Template)
		case row.Effect != byMethod && row.EffectReason == "":
			t.Errorf("%s %s: access %s, which is not what the method says, without a reason", row.Method, row.Template, row.Effect)
		case row.Effect != byMethod:
			exceptions.WriteString(row.Method + "\t" + row.Template + "\t" + row.Name + "\t" + row.access() + "\n")
		}
	}
	const file = "testdata/access.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if exceptions.String() != string(want) {
		t.Errorf("rows are classed otherwise than in %s; if each of them is right, its content should be:\n%s", file, &exceptions)
	}
}

// TestReads: whatever is not known to read writes.
func TestReads(t *testing.T) {
	t.Parallel()
	catalog, err := New(effectRows(t, "GET /api/2.0/a sql read", "POST /api/2.0/a sql write", "POST /api/2.0/a/search sql read", "GET /api/2.0/old sql",
		"GET /api/2.0/v sql read", "GET /api/2.1/v sql write", "GET /api/2.0/w sql read", "GET /api/2.1/w jobs read", "GET /api/2.0/x sql read", "* /api/2.0/x/{path...} sql write"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path string
		reads        bool
	}{
		{"GET", "/api/2.0/a", true},
		{"HEAD", "/api/2.0/a", true},
		{"POST", "/api/2.0/a", false},
		{"DELETE", "/api/2.0/a", false},
		{"POST", "/api/2.0/a/search", true},
		{"GET", "/api/2.0/old", false},
		{"GET", "/api/2.5/a", true},       // an unknown version
		{"GET", "/api/2.5/v", false},      // one of whose known ones writes
		{"GET", "/api/2.5/w", true},       // all of whose known ones read
		{"GET", "/ajax-api/2.0/a", false}, // another spelling
		{"GET", "/api/2.0/preview/a", false},
		{"GET", "/api/2.0/unknown", false},
		{"GET", "/api/2.0/x/y", false},
	} {
		readings, err := catalog.Read(test.method, test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if o := readings[0].Operation; o.Reads() != test.reads {
			t.Errorf("%s %s: %s, reads: %v, %s", test.method, test.path, o.Name, o.Reads(), o.EffectReason)
		}
	}
}

// TestWithEffect: rows that replace others may leave out whether they read.
func TestWithEffect(t *testing.T) {
	t.Parallel()
	base, err := New(effectRows(t, "GET /a sql read", "GET /b sql write", "GET /c sql read"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ row, path, want string }{
		{"GET /a jobs", "/a", "read"},
		{"GET /a jobs write", "/a", "write"},
		{"GET /b jobs", "/b", "write"},
		{"GET /b jobs read", "/b", "read"},
		{"GET /d jobs", "/d", ""},
		{"GET /d jobs read", "/d", "read"},
		{"GET /d jobs", "/c", "read"},
		{"* /c jobs write", "/c", "write"},
		{"* /c jobs read", "/c", "read"},
	} {
		catalog, err := base.With(effectRows(t, test.row))
		if err != nil {
			t.Fatal(err)
		}
		readings, err := catalog.Read("GET", test.path, nil)
		if err != nil || readings[0].Operation.Effect.String() != test.want {
			t.Errorf("%s over it: %s is %q, %v; want %q", test.row, test.path, readings[0].Operation.Effect, err, test.want)
		}
	}
}

// TestOldRows: a file from before there was the column keeps its version.
func TestOldRows(t *testing.T) {
	t.Parallel()
	const old = "GET\t/a\tsql\tdocumented\tx.A\ts\n"
	rows, err := Parse(strings.NewReader(old), "old.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Format(&text, rows); err != nil || !strings.HasSuffix(text.String(), "\taccess\n"+old) {
		t.Errorf("%v, written as %q", err, &text)
	}
	catalog, err := New(rows)
	if err != nil || catalog.Version() != "0916a53091dc" {
		t.Errorf("version %s, %v", catalog.Version(), err)
	}
	classed := effectRows(t, "GET /a sql read", "GET /b sql write")
	if changes := Diff(rows, classed[:1]); len(changes) != 0 {
		t.Errorf("a row that became classed has changed: %v", changes)
	}
	writes := effectRows(t, "GET /a sql write", "GET /b sql write")
	if changes := Diff(classed, writes); len(changes) != 1 || changes[0].New.Template != "/a" {
		t.Errorf("changes %v", changes)
	}
}
