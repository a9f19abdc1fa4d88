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

	"github.com/scopegate/scopegate/internal/adminsocket"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/trustedpath"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// maxUndoFile bounds an undo file, in bytes. A token takes a few hundred.
const maxUndoFile = 64 << 20

// maxUndoNames is how many undo files may be made in one second.
const maxUndoNames = 100

// errEmpty says that an undo file was only created.
var errEmpty = errors.New("the file is empty")

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
	// NarrowedTo are those that it was to get, and Before those that it got before, one list
	// for each time that it was narrowed: the last time may not have come to it.
	NarrowedTo []string   `json:"narrowed_to"`
	Before     [][]string `json:"narrowed_before,omitempty"`
}

// NewUndoFile creates an empty undo file in the current folder and returns its name, for a user
// who gave none. Commands that start in the same second get files of their own.
func NewUndoFile(now time.Time) (name string, err error) {
	base := "scopegate-undo-" + now.UTC().Format("20060102T150405Z")
	name = base + ".json"
	for n := 2; ; n++ {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			return name, file.Close()
		case !errors.Is(err, fs.ErrExist) || n > maxUndoNames:
			return "", fmt.Errorf("writing the undo file: %w", err)
		}
		name = fmt.Sprintf("%s-%d.json", base, n)
	}
}

// WriteUndo writes the former scopes of tokens to a file that only the user can read. To an
// undo file of the same workspace they are added: a token that was narrowed already, and is
// narrowed further, keeps the scopes that it had first.
func WriteUndo(path, workspace string, targets []Target, now time.Time) error {
	// Two commands that add to one file at once must not lose what the other added.
	defer adminsocket.Lock(filepath.Dir(path))()
	file := UndoFile{Kind: undoKind, Workspace: workspace, At: now.UTC()}
	before, err := ReadUndo(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errEmpty):
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
		case holdsOneOf(t.Former, file.Tokens[k].all()):
			entry.Scopes, entry.Before = file.Tokens[k].Scopes, file.Tokens[k].all()
			file.Tokens[k] = entry
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

// all returns all that the token was narrowed to.
func (u *UndoToken) all() [][]string { return append(slices.Clone(u.Before), u.NarrowedTo) }

// holdsOneOf reports whether scopes are the same as one of several lists.
func holdsOneOf(held []string, lists [][]string) bool {
	return slices.ContainsFunc(lists, func(list []string) bool { return tokens.SameScopes(held, list) })
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
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // so that the name is on the disk, too; not all systems can
		_ = dir.Close()
	}
	return nil
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
	if len(content) == 0 {
		return nil, fmt.Errorf("%s is not an undo file of scopegate scopes recommend --apply: %w", path, errEmpty)
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
		case slices.ContainsFunc(token.all(), func(list []string) bool { return len(list) == 0 }),
			slices.ContainsFunc(slices.Concat(token.Scopes, slices.Concat(token.all()...)), isNoScope):
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
		targets = append(targets, Target{ID: id, Owner: tokens.Unknown, Former: token.Scopes, To: token.NarrowedTo, before: token.Before})
	}
	return targets
}
