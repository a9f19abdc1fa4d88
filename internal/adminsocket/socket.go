package adminsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/trustedpath"
)

// extension is that of all sockets in our folders.
const extension = ".sock"

// maxNumber bounds how many sockets of one name there may be.
const maxNumber = 99

// Make finds a free path for a socket, such as name.sock or name-2.sock, and has listen open
// it while no other gateway looks. What a process left behind that was killed is free.
func Make(name string, listen func(path string) error) (path string, err error) {
	folder, err := place(Folders(), fmt.Sprintf("%s-%d%s", name, maxNumber, extension))
	if err != nil {
		return "", err
	}
	defer Lock(folder)()
	for n := 1; n <= maxNumber; n++ {
		file := name
		if n > 1 {
			file = fmt.Sprintf("%s-%d", name, n)
		}
		path = filepath.Join(folder, file+extension)
		if !Alive(path) {
			return path, listen(path)
		}
	}
	return "", fmt.Errorf("%s holds %d sockets in use", folder, maxNumber)
}

// Alive reports whether a process listens on a Unix socket.
func Alive(path string) bool { return alive(dial(path)) }

func dial(path string) error {
	connection, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = connection.Close()
	}
	return err
}

// ForeignError says that a socket is that of a user who cannot be trusted.
type ForeignError struct {
	// Path is the socket's.
	Path string
	// User is the id of the user.
	User int
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s belongs to another user (uid %d), who would get what is sent there", e.Path, e.User)
}

// Check connects to a socket. It fails with a [*ForeignError] if a user made it or listens there
// who is neither this one nor root, nor the one to whom root gave the folder. A command is to
// send nothing before.
func Check(path string, timeout time.Duration) error {
	trusted := []int{0, os.Geteuid()}
	if folder := filepath.Dir(path); filepath.IsAbs(path) && trustedpath.CheckFolder(folder) == nil {
		if info, err := os.Lstat(folder); err == nil {
			trusted = append(trusted, trustedpath.Owner(info))
		}
	}
	connection, err := net.DialTimeout("unix", path, timeout)
	if err != nil {
		return err
	}
	defer connection.Close()
	if info, err := os.Stat(path); err == nil && path[0] != '@' && !slices.Contains(trusted, trustedpath.Owner(info)) {
		return &ForeignError{path, trustedpath.Owner(info)}
	}
	if user, known := peerOf(connection); known && !slices.Contains(trusted, user) {
		return &ForeignError{path, user}
	}
	return nil
}

// Found are the sockets in our folders.
type Found struct {
	// Live are the paths of those on which a process listens that this user may ask.
	Live []string
	// Problems say which folders or sockets could not be looked at, and why.
	Problems []error
}

// Find looks for the sockets of running gateways.
func Find() Found { return find(Folders()) }

func find(folders []string) (found Found) {
	for _, folder := range folders {
		entries, err := list(folder)
		if err != nil {
			found.Problems = append(found.Problems, err)
		}
		for _, entry := range entries {
			if entry.Type() != fs.ModeSocket || filepath.Ext(entry.Name()) != extension {
				continue
			}
			path := filepath.Join(folder, entry.Name())
			err := Check(path, time.Second)
			foreign, isForeign := errors.AsType[*ForeignError](err)
			switch {
			case isForeign:
				found.Problems = append(found.Problems, foreign)
			case alive(err):
				found.Live = append(found.Live, path)
			case errors.Is(err, fs.ErrPermission):
				found.Problems = append(found.Problems, fmt.Errorf("%s belongs to another user", path))
			}
		}
	}
	return found
}

// list returns what a folder holds, nothing if there is no folder.
func list(folder string) ([]fs.DirEntry, error) {
	err := trustedpath.CheckFolder(folder)
	if err == nil {
		var entries []fs.DirEntry
		if entries, err = os.ReadDir(folder); err == nil {
			return entries, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%s is closed to this user", folder)
	}
	return nil, err
}
