package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/trustedpath"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// maxUndoFile bounds an undo file, in bytes. A token takes a few hundred.
const maxUndoFile = 64 << 20

// undoKind is what an undo file says that it is.
const undoKind = "scopegate undo 1"

// UndoFile holds the scopes that tokens had before they were narrowed. It holds ids and names
// of scopes, and nothing secret; yet who can write it decides what tokens get.
type UndoFile struct {
	Kind      string      `json:"kind"`
	Workspace string      `json:"workspace"`
	At        time.Time   `json:"at"`
	Tokens    []UndoToken `json:"tokens"`
}

// UndoToken is one token of an [UndoFile].
type UndoToken struct {
	ID string `json:"token_id"`
	// Scopes are the former ones; none means everything.
	Scopes []string `json:"scopes"`
	// NarrowedTo are those that it was to get.
	NarrowedTo []string `json:"narrowed_to"`
}

// UndoName is the name of an undo file for which the user gave none.
func UndoName(now time.Time) string {
	return "scopegate-undo-" + now.UTC().Format("20060102T150405Z") + ".json"
}

// WriteUndo writes the former scopes of tokens to a file that only the user can read. To an
// undo file of the same workspace they are added: a token that was narrowed already, and is
// narrowed further, keeps the scopes that it had first.
func WriteUndo(path, workspace string, targets []Target, now time.Time) error {
	file := UndoFile{Kind: undoKind, Workspace: workspace, At: now.UTC()}
	before, err := ReadUndo(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("writing the undo file: %w; name another file with --undo-file", err)
	case before.Workspace != workspace:
		return fmt.Errorf("writing the undo file: %s is for %s; name another file with --undo-file", path, before.Workspace)
	default:
		file.Tokens = before.Tokens
	}
	for i := range targets {
		t := &targets[i]
		entry := UndoToken{ID: t.ID.String(), Scopes: list(t.Former), NarrowedTo: list(t.To)}
		k := slices.IndexFunc(file.Tokens, func(u UndoToken) bool { return u.ID == entry.ID })
		switch {
		case k < 0:
			file.Tokens = append(file.Tokens, entry)
		case tokens.SameScopes(file.Tokens[k].NarrowedTo, t.Former):
			file.Tokens[k].NarrowedTo = entry.NarrowedTo
		default:
			file.Tokens[k] = entry
		}
	}
	content, err := json.MarshalIndent(&file, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the undo file: %w", err)
	}
	if err := replace(path, append(content, '\n')); err != nil {
		return fmt.Errorf("writing the undo file: %w", err)
	}
	return nil
}

// replace writes a file that only the user can read, as a whole or not at all, and waits until
// it is on the disk.
func replace(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".scopegate-undo-*") // for this user only
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// ReadUndo reads an undo file. One that others can write is an error: what it says widens
// tokens.
func ReadUndo(path string) (*UndoFile, error) {
	content, err := regularfile.Read(path, maxUndoFile)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !trustedpath.ByRootOrUs(info):
		return nil, fmt.Errorf("%s belongs to another user, and it says which scopes tokens get: check it, then copy it", path)
	case info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("%s can be written by others, and it says which scopes tokens get: check it, then chmod 600 it", path)
	}
	return parseUndo(path, content)
}

// parseUndo reads the content of an undo file.
func parseUndo(path string, content []byte) (*UndoFile, error) {
	file := new(UndoFile)
	if err := strictjson.Unmarshal(content, file); err != nil || file.Kind != undoKind {
		return nil, fmt.Errorf("%s is not an undo file of scopegate scopes recommend --apply", path)
	}
	return file, file.check(path)
}

func (f *UndoFile) check(path string) error {
	if u, err := workspaceurl.Parse(f.Workspace); err != nil || u.String() != f.Workspace {
		return fmt.Errorf("%s names no workspace", path)
	}
	seen := make(map[string]bool)
	for i, token := range f.Tokens {
		id, err := tokens.ParseID(token.ID)
		switch {
		case err != nil || id.String() != token.ID || seen[token.ID]:
			return fmt.Errorf("%s: token %d has no id of its own", path, i+1)
		case len(token.NarrowedTo) == 0 || slices.ContainsFunc(slices.Concat(token.Scopes, token.NarrowedTo), isNoScope):
			return fmt.Errorf("%s: token %d has no scopes", path, i+1)
		}
		seen[token.ID] = true
	}
	return nil
}

// isNoScope reports whether a text cannot be the name of a scope.
func isNoScope(name string) bool {
	return name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
}

// Targets returns the tokens of the file. Their owners are not known.
func (f *UndoFile) Targets() (targets []Target) {
	for _, token := range f.Tokens {
		id, _ := tokens.ParseID(token.ID) // it was checked
		targets = append(targets, Target{ID: id, Owner: tokens.Unknown, Former: token.Scopes, To: token.NarrowedTo})
	}
	return targets
}
