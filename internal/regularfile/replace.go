package regularfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/scopegate/scopegate/internal/trustedpath"
)

// Replace puts content in the place of a file in one step, so that whoever reads it, now or
// after a crash, finds the old file or the new one. Where the path is a symbolic link, what it
// leads to is replaced or created, unless the link is another user's. The file keeps its
// permissions; a new one is readable for all.
func Replace(path string, content []byte) (err error) {
	file, err := trustedpath.Follow(path)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return loopError(path)
	case err != nil:
		return err
	}
	mode := fs.FileMode(0o644)
	switch info, err := os.Stat(file); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w, but %s", path, ErrNotRegular, kind(info.Mode()))
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	folder, name := filepath.Split(file)
	temporary, err := os.CreateTemp(folder, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name()) // the first error counts
		}
	}()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
