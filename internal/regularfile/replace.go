package regularfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts content in the place of a file in one step, so that whoever reads it, now or
// after a crash, finds the old file or the new one. Where the path is a symbolic link, what it
// leads to is replaced or created. The file keeps its permissions; a new one is readable for
// all.
func Replace(path string, content []byte) (err error) {
	file, err := target(path)
	if err != nil {
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
	if folder == "" {
		folder = "."
	}
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

// maxLinks limits symbolic links that lead to others, as Linux does.
const maxLinks = 40

// target follows symbolic links, also to what does not exist yet.
func target(path string) (string, error) {
	file := path
	for range maxLinks {
		link, err := os.Readlink(file)
		if err != nil {
			return file, nil //nolint:nilerr // it is no link
		}
		if !filepath.IsAbs(link) {
			folder, _ := filepath.Split(file)
			link = folder + link // and not filepath.Join: ".." is that of what a folder leads to
		}
		file = link
	}
	return "", fmt.Errorf("%s: %w, but a symbolic link that leads nowhere", path, ErrNotRegular)
}
