package caddyserver

import (
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// asAnotherUser calls a function with the rights to files of a user without any.
func asAnotherUser(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with this goroutine
		if _, err := unix.SetfsuidRetUid(54321); err != nil {
			t.Error(err)
			return
		}
		do()
	}()
	<-done
}

func itoa(descriptor uintptr) string { return strconv.FormatUint(uint64(descriptor), 10) }
