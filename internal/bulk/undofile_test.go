package bulk

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

const workspaceURL = "https://w.example.com"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestUndoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "undo.json")
	first, second, third := tokens.IDOf("1"), tokens.IDOf("2"), tokens.IDOf("3")
	write := func(targets ...Target) {
		t.Helper()
		if err := WriteUndo(path, workspaceURL, targets, noon); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		file, err := ReadUndo(path)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, target := range file.Targets() {
			texts = append(texts, strings.Join(target.Former, "+")+">"+strings.Join(target.To, "+"))
		}
		return strings.Join(texts, " ")
	}
	write(Target{ID: first, Owner: "o@example.com", Comment: "secret plans", To: []string{"jobs", "sql"}}, Target{ID: second, Former: []string{"jobs", "sql"}, To: []string{"sql"}})
	if got := read(); got != ">jobs+sql jobs+sql>sql" {
		t.Error(got)
	}
	// The first one is narrowed further, the second one was changed by others, the third is new.
	write(Target{ID: first, Former: []string{"sql", "jobs"}, To: []string{"sql"}}, Target{ID: second, Former: []string{"jobs"}, To: []string{"x"}}, Target{ID: third, Former: []string{"a", "b"}, To: []string{"a"}})
	if got := read(); got != ">sql jobs>x a+b>a" {
		t.Error(got)
	}
	if err := WriteUndo(path, "https://other.example.com", nil, noon); err == nil || !strings.Contains(err.Error(), "is for "+workspaceURL) {
		t.Error(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"o@example.com", "secret"} {
		if strings.Contains(string(content), part) {
			t.Errorf("it holds %s", part)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".scopegate*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadUndo(path); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Error(err)
	}
}

func TestReadUndo(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("ab", 32)
	whole := `{"kind":"scopegate undo 1","workspace":"https://w.example.com","at":"2026-03-01T12:00:00Z","tokens":[{"token_id":"` + id + `","scopes":[],"narrowed_to":["sql"]}]}`
	for _, test := range []struct{ name, old, new, says string }{
		{"whole", "", "", ""},
		{"no JSON", whole, "x", "is not an undo file"},
		{"another kind", "undo 1", "undo 2", "is not an undo file"},
		{"no workspace", "https://w.example.com", "", "names no workspace"},
		{"an odd workspace", "https://w.example.com", "https://w.example.com/x", "names no workspace"},
		{"an odd id", id, "dapi" + id[4:], "token 1 has no id of its own"},
		{"a token twice", `"tokens":[`, `"tokens":[{"token_id":"` + id + `","scopes":[],"narrowed_to":["sql"]},`, "token 2 has no id of its own"},
		{"narrowed to nothing", `["sql"]`, `[]`, "token 1 has no scopes"},
		{"an odd scope", `"scopes":[]`, `"scopes":["a b"]`, "token 1 has no scopes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "undo.json")
			if err := os.WriteFile(path, []byte(strings.Replace(whole, test.old, test.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadUndo(path); (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
	if _, err := ReadUndo(filepath.Join(t.TempDir(), "none")); err == nil || !os.IsNotExist(err) && !strings.Contains(err.Error(), fs.ErrNotExist.Error()) {
		t.Error(err)
	}
}

func FuzzUndo(f *testing.F) {
	id := strings.Repeat("ab", 32)
	f.Add([]byte(`{"kind":"scopegate undo 1","workspace":"https://w.example.com","tokens":[{"token_id":"` + id + `","scopes":["a","b"],"narrowed_to":["a"]}]}`))
	f.Add([]byte(`{"kind":"scopegate undo 1","workspace":"https://w.example.com","tokens":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseUndo("undo.json", content)
		if err != nil {
			return
		}
		seen := make(map[tokens.ID]bool)
		for _, target := range file.Targets() {
			if target.ID.IsZero() || seen[target.ID] || len(target.To) == 0 || len(Formerly(target.Former)) == 0 {
				t.Errorf("%+v of %q", target, content)
			}
			seen[target.ID] = true
		}
	})
}
