package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/secretref"
)

const (
	checkSecret  = "secret"
	checkStorage = "storage"
	checkFile    = "file"
)

// secrets checks that what stands for secrets has a value, and that other users cannot read
// the files, also not as members of their groups.
func (c *checks) secrets(references []string) {
	for _, reference := range references {
		path := reference
		if secretref.IsOne(reference) {
			if problem := secretref.Problem(reference); problem != "" {
				c.fail(checkSecret, reference, problem, "")
				continue
			}
			var isFile bool
			if path, isFile = strings.CutPrefix(strings.Trim(reference, "{}"), "file."); !isFile {
				c.ok(checkSecret, reference, "set")
				continue
			}
		}
		c.secretFile(path)
	}
}

// maxKey bounds the file of a private key.
const maxKey = 1 << 20

func (c *checks) secretFile(path string) {
	if _, err := regularfile.Read(path, maxKey); err != nil {
		c.fail(checkSecret, path, reason(err), "check the path, and that the gateway's user may read it")
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		c.fail(checkSecret, path, reason(err), "keep the file as it is while this check runs")
		return
	}
	mode := info.Mode().Perm()
	if mode&0o004 != 0 && reachable(path, -1) {
		if isMounted(path) {
			c.warn(checkSecret, path, fmt.Sprintf("every user of this container can read it (%v)", mode), "mount it with the mode 0440 or 0400")
			return
		}
		c.fail(checkSecret, path, fmt.Sprintf("every user of this machine can read it (%v)", mode), "run chmod o-rwx "+path+", and replace the secret if others may have read it")
		return
	}
	// Orchestrators give mounted files a group of the container's only.
	if group, ok := groupOf(info); ok && mode&0o040 != 0 && reachable(path, group) && !isMounted(path) {
		if problem := c.identity.strangers(group); problem != "" {
			c.warn(checkSecret, path, fmt.Sprintf("%s (%v)", problem, mode), "run chgrp with a group that only the gateway's user is in, or chmod g-rwx "+path+" if that user owns it; replace the secret if others may have read it")
			return
		}
	}
	c.ok(checkSecret, path, "readable, and not by other users")
}

// reachable reports whether the folders of a file let others pass, or the members of a group
// that is not negative.
func reachable(path string, group int) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return true
	}
	for folder := filepath.Dir(resolved); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			if of, ok := groupOf(info); group < 0 || !ok || of != group || info.Mode().Perm()&0o010 == 0 {
				return false
			}
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}

// isMounted reports whether a file is where containers get their secrets, with modes that
// others chose: Kubernetes links to a folder whose name begins with two dots, and Docker uses
// /run/secrets.
func isMounted(path string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	return err == nil && (strings.Contains(resolved, "/..") || strings.HasPrefix(resolved, "/run/secrets/"))
}

// writable checks that the gateway can write where it must.
func (c *checks) writable(folders, files []string) {
	for _, folder := range folders {
		if c.canCreate(checkStorage, folder, folder) {
			c.ok(checkStorage, folder, "writable")
		}
	}
	for _, path := range files {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		switch {
		case err == nil:
			_ = file.Close() // nothing was written
			c.ok(checkFile, path, "writable")
		case errors.Is(err, fs.ErrNotExist):
			if c.canCreate(checkFile, path, filepath.Dir(path)) {
				c.ok(checkFile, path, "can be created")
			}
		default:
			c.fail(checkFile, path, reason(err), "let the gateway's user write to it")
		}
	}
}

// canCreate reports whether a folder, or the one in which it will be made, can be written to.
func (c *checks) canCreate(check, subject, folder string) bool {
	there := folder
	for {
		info, err := os.Stat(there)
		if err == nil && !info.IsDir() {
			c.fail(check, subject, there+" is not a folder", "remove it, or name another path")
			return false
		}
		if err == nil || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	if c.options.ReadOnly {
		c.skip(check, subject, "whether "+there+" can be written to is tried by writing; run it without --read-only")
		return false
	}
	file, err := os.CreateTemp(there, ".scopegate-check-*")
	if err != nil {
		c.fail(check, subject, "cannot create a file in "+there+": "+reason(err), "let the gateway's user write to it, and run this check as that user")
		return false
	}
	_ = file.Close()
	if err := os.Remove(file.Name()); err != nil {
		c.warn(check, subject, "a file could be created, but not removed: "+file.Name(), "remove it")
		return false
	}
	return true
}

// reason is the cause of an error without the path, which is shown already.
func reason(err error) string {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		return inner.Err.Error()
	}
	return err.Error()
}
