package adminsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxPath bounds the path of a socket, in bytes. Linux allows 107, macOS 103.
const maxPath = 103

// Folders returns where sockets of this user's gateways may be, the best first: the user's
// folder for such things; the system's, for services; a folder of ours in it, where it is a
// volume that anybody may write to, as in a container with a read-only root; and one for
// temporary files.
func Folders() []string {
	var folders []string
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		folders = append(folders, filepath.Join(runtime, "scopegate"))
	}
	user := os.Geteuid()
	return append(folders,
		"/run/scopegate",
		fmt.Sprintf("/run/scopegate/%d", user),
		filepath.Join(os.TempDir(), fmt.Sprintf("scopegate-%d", user)))
}

// place returns the first folder in which this process may put a socket, and makes it if
// need be. The error says what is wrong with each of them.
func place(folders []string, name string) (string, error) {
	var problems []string
	for _, folder := range folders {
		err := usable(folder, name)
		if err == nil {
			return folder, nil
		}
		problems = append(problems, err.Error())
	}
	return "", errors.New(strings.Join(problems, "; "))
}

func usable(folder, name string) error {
	if len(filepath.Join(folder, name)) > maxPath {
		return fmt.Errorf("%s is too long for the path of a socket", folder)
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := CheckFolder(folder); err != nil {
		return err
	}
	if !owned(folder) {
		return fmt.Errorf("%s belongs to another user", folder)
	}
	return writable(folder)
}

// CheckFolder fails if another user than root could put a socket of theirs into a folder,
// or a folder of theirs in its place. It does not follow a symbolic link.
func CheckFolder(folder string) error {
	info, err := os.Lstat(folder)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	case open(info):
		return fmt.Errorf("other users can write to %s (mode %04o)", folder, info.Mode().Perm())
	case owned(folder):
		return nil
	}
	// Somebody else's. Fine if only root can have made it, as for a service.
	parent, err := os.Lstat(filepath.Dir(folder))
	if err != nil {
		return err
	}
	if open(parent) || !byRootOrUs(parent) {
		return fmt.Errorf("%s belongs to another user", folder)
	}
	return nil
}

// open reports whether others can write to a folder.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// owned reports whether a folder belongs to this user.
func owned(folder string) bool {
	info, err := os.Lstat(folder)
	return err == nil && ownerOf(info) == os.Geteuid()
}

func byRootOrUs(info fs.FileInfo) bool {
	owner := ownerOf(info)
	return owner == 0 || owner == os.Geteuid()
}
