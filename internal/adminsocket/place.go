package adminsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/internal/trustedpath"
)

// maxPath bounds the path of a socket, in bytes. Linux allows 107, macOS 103.
const maxPath = 103

// Folders returns where sockets of this user's gateways may be, the best first: the user's
// folder for such things; the system's, for services; a folder of ours in it, where it is a
// volume that anybody may write to, as in a container with a read-only root; and one for
// temporary files. Each is there once, also where the user's folder is the system's, as in
// the container image.
func Folders() []string {
	const system = "/run/scopegate"
	var folders []string
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		if folder := filepath.Join(runtime, "scopegate"); folder != system {
			folders = append(folders, folder)
		}
	}
	user := os.Geteuid()
	return append(folders,
		system,
		fmt.Sprintf("%s/%d", system, user),
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
	if err := trustedpath.CheckFolder(folder); err != nil {
		return err
	}
	if !owned(folder) {
		return fmt.Errorf("%s belongs to another user", folder)
	}
	return writable(folder)
}

// owned reports whether a folder belongs to this user.
func owned(folder string) bool {
	info, err := os.Lstat(folder)
	return err == nil && trustedpath.Owner(info) == os.Geteuid()
}
