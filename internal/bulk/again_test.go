package bulk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/scopegate/scopegate/internal/tokens"
)

// TestUndoAfterSeveral: a token gets its first scopes back, whichever of several commands with
// the same undo file was the last that came to it.
func TestUndoAfterSeveral(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ holds, want string }{
		{"a b c", "already done"},
		{"a b", "restored"},
		{"a", "restored"},
		{"b", "restored"},
		{"c", "failed"},
	} {
		t.Run(test.holds, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "undo.json")
			w, ids := newFake(strings.Fields(test.holds))
			id, all, two := ids[0], []string{"a", "b", "c"}, []string{"a", "b"}
			for _, target := range []Target{
				{ID: id, Former: all, To: two},
				{ID: id, Former: two, To: []string{"a"}}, // and it was interrupted
				{ID: id, Former: two, To: []string{"b"}},
			} {
				if err := WriteUndo(path, workspaceURL, []Target{target}, noon); err != nil {
					t.Fatal(err)
				}
			}
			file, err := ReadUndo(path)
			if err != nil {
				t.Fatal(err)
			}
			r, _, _ := newRunner(t, w)
			if got := statuses(r.Restore(t.Context(), file.Targets())); got != test.want {
				t.Errorf("%s: %s", got, w.scopesOf(ids))
			}
			if test.want == "restored" && !tokens.SameScopes(w.held[id].Scopes, all) {
				t.Error(w.scopesOf(ids))
			}
		})
	}
}

// TestNewUndoFile: two commands that start in the same second do not share a file.
func TestNewUndoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	var names []string
	for i := range 3 {
		name, err := NewUndoFile(noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadUndo(name); err == nil {
			t.Error("an empty file can be undone")
		}
		target := Target{ID: tokens.IDOf(fmt.Sprint(i)), Former: []string{"a", "b"}, To: []string{"a"}}
		if err := WriteUndo(name, workspaceURL, []Target{target}, noon); err != nil {
			t.Fatal(err)
		}
		if file, err := ReadUndo(name); err != nil || len(file.Tokens) != 1 {
			t.Errorf("%v, %v", file, err)
		}
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "scopegate-undo-20260301T120000Z.json scopegate-undo-20260301T120000Z-2.json scopegate-undo-20260301T120000Z-3.json" {
		t.Error(got)
	}
	if info, err := os.Stat(names[0]); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestUnsure: what may have been changed is told from what was not.
func TestUnsure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fail   func(call string, n int) error
		unsure bool
	}{
		{"not read before", func(call string, _ int) error { return failIf(call == "get 0") }, false},
		{"not set", func(call string, _ int) error { return failIf(call == "set 0") }, false},
		{"neither set nor read back", func(call string, n int) error { return failIf(call == "set 0" || call == "get 0" && n > 1) }, true},
		{"set and not read back", func(call string, n int) error { return failIf(call == "get 0" && n > 1) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ids := newFake([]string{"a", "b"})
				w.fail = test.fail
				r, _, _ := newRunner(t, w)
				results := r.Narrow(t.Context(), []Target{{ID: ids[0], Former: []string{"a", "b"}, To: []string{"a"}}})
				if results[0].Status != Failed || results[0].Unsure != test.unsure {
					t.Errorf("%+v", results[0])
				}
			})
		})
	}
}

func failIf(yes bool) error {
	if yes {
		return errServer
	}
	return nil
}

// TestNarrowOfAnother: the user was told another owner than the workspace knows.
func TestNarrowOfAnother(t *testing.T) {
	t.Parallel()
	w, ids := newFake([]string{"a", "b"})
	r, _, _ := newRunner(t, w)
	results := r.Narrow(t.Context(), []Target{{ID: ids[0], Owner: "friend@example.com", OwnerID: 77, Former: []string{"a", "b"}, To: []string{"a"}}})
	if results[0].Status != Failed || !strings.Contains(results[0].Problem, "another owner") {
		t.Errorf("%+v", results[0])
	}
}

// TestHostileNames: a name looks neither like several nor like other columns.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	got := Whose([]Target{{Owner: "ann@example.com (9), bob"}, {Owner: "eve@example.com"}})
	if want := `2 tokens of 2 owners: "ann@example.com (9), bob" (1), eve@example.com (1)`; got != want {
		t.Error(got)
	}
	if got := cell("x   revoked    2026-03-01\t me", 40); strings.Contains(got, "  ") {
		t.Errorf("%q", got)
	}
}

// TestUndoFileAtOnce: commands that add to one file at the same time lose nothing.
func TestUndoFileAtOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no lock")
	}
	const commands = 16
	path := filepath.Join(t.TempDir(), "undo.json")
	var all sync.WaitGroup
	for i := range commands {
		all.Go(func() {
			target := Target{ID: tokens.IDOf(fmt.Sprint(i)), Former: []string{"a", "b"}, To: []string{"a"}}
			if err := WriteUndo(path, workspaceURL, []Target{target}, noon); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if file, err := ReadUndo(path); err != nil || len(file.Tokens) != commands {
		t.Errorf("%d of %d tokens are left: %v", len(file.Tokens), commands, err)
	}
}
