//go:build unix

package adminsocket

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockPatience bounds how long a process waits for others that start in the same
	// folder. Whoever holds the lock for longer is up to no good.
	lockPatience = 3 * time.Second

	lockRetry = 10 * time.Millisecond
)

func writable(folder string) error {
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("writing to %s: %w", folder, err)
	}
	return nil
}

// Lock keeps other gateways from making a socket in a folder until it is unlocked: two that
// start at the same moment would both find a path free. The lock ends with the process. It
// works across containers that share the folder.
func Lock(folder string) (unlock func()) {
	file, err := os.Open(folder)
	if err != nil {
		return func() {} // making the socket will fail
	}
	for deadline := time.Now().Add(lockPatience); time.Now().Before(deadline); time.Sleep(lockRetry) {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return func() { _ = file.Close() }
}

// Private makes a socket that listen opens private from the start. Caddy sets the mode once
// it listens; until then anybody could connect where the umask allows it. The umask is the
// process's, so listen must be quick.
func Private(listen func()) {
	umask := unix.Umask(0o077)
	defer unix.Umask(umask)
	listen()
}

// alive reports whether a process listens at the end of a connection that failed.
func alive(err error) bool {
	return err == nil || errors.Is(err, syscall.EAGAIN) // it does not accept fast enough
}
